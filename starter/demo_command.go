package main

import (
	"cmp"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/demo"
)

func newDemoCommand() *cobra.Command {
	options := demo.Options{}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Show a model drift, be caught, be retrained and recover",
		Long: `Show a model drift, be caught, be retrained and recover.

Starts a Temporal dev server, the worker, a training service and a serving process,
each a process of its own, and shows for about 80 seconds what happens: a really
trained classifier meets a stream whose concept changes three times (SEA, Street
and Kim 2001). One rule is on its accuracy, known once the labels come, another on
its inputs, two of which move. Ends with a table, and leaves no process and no file
behind.`,
		Example: `  modelvigil demo                    # a live view; plain lines where there is no terminal
  modelvigil demo --seed 7           # another stream; the same seed gives the same one
  modelvigil demo --keep             # stay at the end, and look around in the Temporal UI`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Out = command.OutOrStdout()
			options.Size = terminalSize(options.Out)
			options.Temporal = cmp.Or(options.Temporal, os.Getenv("MODELVIGIL_TEMPORAL"))
			return demo.Run(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.Uint64Var(&options.Seed, "seed", 1, "of the stream")
	flags.BoolVar(&options.Keep, "keep", false, "leave everything running at the end, until Ctrl-C")
	flags.StringVar(&options.Temporal, "temporal", "", "path of the Temporal CLI (default $MODELVIGIL_TEMPORAL, then `temporal` on PATH)")
	flags.StringVar(&options.Worker, "worker", "", "path of the worker (default beside this program)")
	command.AddCommand(newDemoServingCommand(), newDemoTrainerCommand())
	return command
}

// terminalSize asks a terminal how many columns and rows it has; it is nil of what is
// no terminal.
func terminalSize(stream any) func() (columns, rows int) {
	if !isTerminal(stream) {
		return nil
	}
	return func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(stream.(*os.File).Fd()))
		if err != nil || columns == 0 || rows == 0 {
			return 80, 24 // as terminals have been since they were of glass
		}
		return columns, rows
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// newDemoServingCommand is the demo's serving process.
func newDemoServingCommand() *cobra.Command {
	options := demo.ServeOptions{Queue: contract.DefaultTaskQueue}
	command := &cobra.Command{
		Use: "serving", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := dial(command.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			options.Client = c
			return demo.Serve(command.Context(), options, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Trainer, "trainer", "", "URL of the training service")
	flags.Uint64Var(&options.Seed, "seed", 1, "of the stream")
	flags.BoolVar(&options.Endless, "endless", false, "go on with the last concept, until the end")
	return command
}

// newDemoTrainerCommand is the demo's training service.
func newDemoTrainerCommand() *cobra.Command {
	options := demo.TrainOptions{Secret: os.Getenv("MODELOPS_WEBHOOK_SECRET")}
	command := &cobra.Command{
		Use: "trainer", Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Logger = slog.New(slog.NewTextHandler(command.ErrOrStderr(), nil))
			return demo.Train(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Listen, "listen", "", "host:port")
	flags.StringVar(&options.Initial, "initial", "", "path of the training set")
	return command
}
