package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/starter/top"
)

// topTimeout bounds each call of the live view.
const topTimeout = 10 * time.Second

func newTopCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "top",
		Short: "Watch the fleet live, and steer it by keys",
		Long: `Watch the fleet live: models by phase, the value that is judged, the last decision, the
time to the cooldown's end. The list comes from the server's visibility store, which may
be a second or two behind; only the models on the screen are asked themselves, which
needs a worker. ? shows the keys.

--once prints the list and ends, for scripts; it needs no terminal and no worker.`,
		Example: `  modelvigil top
  modelvigil top --filter 'payments awaiting'
  modelvigil top --once --sort last -o json | jq '.models[] | select(.phase == "paused")'`,
		Args: noArguments,
	}
	output := outputFlag(command)
	options := top.Options{Order: top.ByPhase}
	var orders []string
	for _, order := range top.Orders() {
		orders = append(orders, string(order))
	}
	flags := command.Flags()
	flags.StringVar((*string)(&options.Order), "sort", string(top.ByPhase), strings.Join(orders, ", "))
	flags.StringVar(&options.Filter, "filter", "", "words that model, team, phase, version, backend or last decision contain")
	flags.StringVar(&options.By, "by", os.Getenv("USER"), "who steers, for the decision log; a claim that nobody checks")
	once := flags.Bool("once", false, "print the list and end")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if !slices.Contains(orders, string(options.Order)) {
			return wrongUsage(fmt.Errorf("flag --sort: must be %s, got %q", strings.Join(orders, ", "), options.Order))
		}
		out, isFile := command.OutOrStdout().(*os.File)
		if !*once && (!isFile || !term.IsTerminal(int(out.Fd())) || *output == asJSON) {
			return wrongUsage(errors.New("needs a terminal; --once prints the list and ends"))
		}

		s, err := connect(command, topTimeout)
		if err != nil {
			return err
		}

		defer s.Close()
		watched := &watchedFleet{s}
		if *once {
			return printTop(command, watched, options, *output)
		}

		options.Where = s.address + " " + s.namespace
		options.ASCII = !isUTF8(os.Getenv)
		_, err = tea.NewProgram(top.New(command.Context(), watched, options),
			tea.WithContext(command.Context()), tea.WithInput(command.InOrStdin()), tea.WithOutput(out)).Run()
		if errors.Is(err, tea.ErrProgramKilled) && command.Context().Err() != nil {
			return errInterrupted
		}

		return err
	}

	return command
}

func printTop(command *cobra.Command, watched *watchedFleet, options top.Options, output format) error {
	rows, freezes, err := watched.List(command.Context())
	if err != nil {
		return err
	}

	rows = top.Filter(rows, options.Filter)
	top.Sort(rows, options.Order, false)
	if output == asJSON {
		return writeJSON(command.OutOrStdout(), map[string]any{"models": rows, "freezes": append([]fleet.Freeze{}, freezes...)})
	}
	_, err = fmt.Fprint(command.OutOrStdout(), top.Print(rows, freezes, time.Now()))
	return err
}

// isUTF8 says that the locale is one of UTF-8.
func isUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(getenv(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// watchedFleet is what the view looks at.
type watchedFleet struct{ *server }

// List implements top.Fleet.
func (f *watchedFleet) List(ctx context.Context) ([]top.Row, []fleet.Freeze, error) {
	monitors, err := f.list(ctx, false)
	if err != nil {
		return nil, nil, err
	}

	rows := make([]top.Row, 0, len(monitors))
	for _, m := range monitors {
		if m.ModelName != "" {
			rows = append(rows, top.Row{ModelName: m.ModelName, Started: m.Started, Glance: m.Glance})
		}
	}
	freezes, err := f.freezes(ctx)
	return rows, freezes, err
}

// Status implements top.Fleet.
func (f *watchedFleet) Status(ctx context.Context, model string) (status monitor.Status, err error) {
	answer, err := f.status(ctx, model)
	if err == nil {
		err = json.Unmarshal(answer.wire, &status)
	}
	return status, err
}

// Control implements top.Fleet.
func (f *watchedFleet) Control(ctx context.Context, model, update string, control monitor.Control) (string, error) {
	result, stopped, err := f.control(ctx, model, update, control)
	if err != nil {
		return "", err
	}
	return told(model, update, result, stopped), nil
}
