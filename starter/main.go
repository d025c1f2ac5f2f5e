// Command modelvigil, in the folder starter, is the operator's command line of modelvigil. `modelvigil -h`
// lists its commands and settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // blackouts are in zones, and not every image has them

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/release"
	"github.com/modelvigil/modelvigil/starter/usage"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong arguments or settings
)

// commands are all of them, in the order of the help. A command of your own goes
// into a file of its own, and here.
var commands = []func() *cobra.Command{
	newDemoCommand,
	newApplyCommand,
	newValidateCommand,
	newPublishCommand,
	newGatewayCommand,
	newScrapeCommand,
	newStatusCommand,
	newListCommand,
	newTopCommand,
	newCodecCommand,
	newExplainCommand,
	newWhatIfCommand,
	newPauseCommand,
	newResumeCommand,
	newRetrainCommand,
	newApproveCommand,
	newRejectCommand,
	newCancelCommand,
	newStopCommand,
	newRollCommand,
	newSetupCommand,
	newDoctorCommand,
	newFreezeCommand,
	newUnfreezeCommand,
	newBacktestCommand,
	newCertifyCommand,
	newTuneCommand,
	newProfileCommand,
	newRehearseCommand,
	newBenchCommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with everything but the environment handed in; it returns the exit
// code. What cobra refuses before a command runs is wrong usage.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stopTraces, err := withTraces(ctx, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "modelvigil: wrong settings:", err)
		return exitUsage
	}

	defer stopTraces()
	running := false
	root := newRootCommand()
	onRun(root, func() { running = true })
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if len(args) == 0 {
		root.SetOut(stderr)
		_ = root.Help()
		report(stderr, root, errors.New("name a command"))
		return exitUsage
	}
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}

	var wrong *usageError
	if running && !errors.As(err, &wrong) {
		report(stderr, command, err)
		return exitFailed
	}

	if wrong == nil || !wrong.ofSettings {
		err = fmt.Errorf("%w\nsee %s -h", usage.Command(root, err), command.CommandPath())
	}
	report(stderr, command, err)
	return exitUsage
}

// report says what went wrong, each line with the command in front, so that the
// last one can be read by itself.
func report(w io.Writer, command *cobra.Command, err error) {
	for line := range strings.Lines(strings.TrimSpace(err.Error()) + "\n") {
		_, _ = fmt.Fprintf(w, "%s: %s", command.CommandPath(), line)
	}
}

// onRun calls begin when a command begins to run.
func onRun(command *cobra.Command, begin func()) {
	if run := command.RunE; run != nil {
		command.RunE = func(c *cobra.Command, args []string) error {
			begin()
			return run(c, args)
		}
	}
	for _, child := range command.Commands() {
		onRun(child, begin)
	}
}

// usageError says that the arguments or the settings are wrong.
type usageError struct {
	err        error
	ofSettings bool // they are in the environment, not in the arguments
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// wrongUsage makes an error of the arguments; nil stays nil.
func wrongUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err: err}
}

// noArguments is for commands that take flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("takes no arguments, got %q", args[0])
	}
	return nil
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:     "modelvigil",
		Version: release.Line("modelvigil"),
		Short:   "Watch machine-learning models in production",
		Long: `modelvigil is the operator's command line: it says by which policy a
model is watched, publishes metric events, and shows and steers the monitors.`,
		Example: `  modelvigil apply policy.yaml                                   # watch a model by a policy of its own
  modelvigil publish --model fraud --version v7 --accuracy 0.83  # the first event starts a monitor, too
  modelvigil status fraud
  modelvigil retrain fraud --force --reason "new labels"`,
		SilenceErrors: true,
		SilenceUsage:  true,
		// Whoever misspells one gets suggestions of our own.
		DisableSuggestions: true,
	}

	root.SetFlagErrorFunc(usage.Flag)
	cobra.EnableCommandSorting = false
	for _, newCommand := range commands {
		root.AddCommand(newCommand())
	}

	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "completion": // by itself cobra would take any argument and print the help
			command.Args = cobra.ArbitraryArgs
			command.RunE = func(_ *cobra.Command, args []string) error {
				return wrongUsage(fmt.Errorf("name a shell: bash, fish, powershell or zsh, got %q", strings.Join(args, " ")))
			}
		case "help":
			command.Args = func(_ *cobra.Command, args []string) error {
				_, _, err := root.Find(args)
				return err
			}
		}
	}

	root.SetVersionTemplate("{{.Version}}\n")
	help := root.HelpFunc()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		help(command, args)
		if command == root {
			printSettings(command.OutOrStdout())
		} else {
			_, _ = fmt.Fprintln(command.OutOrStdout(), "\nSettings of the environment, such as TEMPORAL_ADDRESS: modelvigil -h")
		}
	})
	return root
}
