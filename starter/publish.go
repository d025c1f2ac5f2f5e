package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/starter/input"
	"github.com/modelvigil/modelvigil/starter/notes"
)

func newPublishCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "publish (--model NAME | --file FILE)",
		Short: "Publish metric events",
		Long: `Publish metric events: one from flags, or any number from a file of JSON, one event to
a line; - is standard input. It returns when all is durable, with the number of events
on its last line. A model that isn't watched yet gets a monitor with the default
policy, which is told, with the watched models whose names are near; with --enrol observe
it gets a dry run of it, with --enrol refuse its events are refused.

Of a file the good lines are published; each bad one is reported with its number and
every fault, and makes the exit code 1. Ctrl-C publishes what was read. A metric that
is left out was not measured, and isn't judged.`,
		Example: `  modelvigil publish --model fraud --version v7 --accuracy 0.93 --latency-ms 84 --drift-score 0.02
  modelvigil publish --model fraud --version v7 --metric auc=0.71 --metric f1=0.64 --timestamp 2026-03-01T12:00:00Z
  modelvigil publish --file events.ndjson
  echo '{"model_name": "fraud", "model_version": "v7", "accuracy": 0.83}' | modelvigil publish --file -`,
		Args: noArguments,
	}
	timeout := timeoutFlag(command)
	file := command.Flags().String("file", "", "file of events, one to a line; - is standard input")
	enrolment := enrolFlag(command)
	var single eventFlags
	single.addTo(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := single.check(command); err != nil {
			return err
		}

		p := &publishing{stderr: command.ErrOrStderr(), timeout: *timeout, enrolment: *enrolment}
		source := command.InOrStdin()
		var event metric.Event
		switch {
		case *file == "":
			var err error
			event, err = single.event(command)
			if err != nil {
				return err
			}
		case isTable(*file):
			return wrongUsage(fmt.Errorf("%s: publish takes JSON, one event to a line; backtest, certify and tune read tables", document.Called(*file)))
		case *file != "-":
			opened, err := os.Open(*file)
			if err != nil {
				return err
			}
			defer func() { _ = opened.Close() }()
			source = opened
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.missesNamespace(command.Context()); err != nil {
			return err
		}

		p.server = s
		p.notes = notes.Notes{To: p.stderr, IsNew: s.isNew, Watched: s.watched, With: "the default policy"}
		switch p.enrolment {
		case hub.EnrolRefuse:
			p.notes.IsNew = nil
		case hub.EnrolObserve:
			p.notes.With = "a dry run of the default policy"
		}
		p.open()
		if *file == "" {
			err = p.publish(command.Context(), event)
		} else {
			err = p.publishLines(command.Context(), document.Called(*file), source)
		}

		p.deliver()
		if p.missing == 0 {
			p.notes.Tell(command.Context())
		}
		_, outErr := fmt.Fprintf(command.OutOrStdout(), "published %s\n", plain.Count(p.accepted-p.missing, "event"))
		return errors.Join(append(p.faults, err, outErr)...)
	}

	return command
}

// isTable says that a file is called as one of rows and columns is.
func isTable(file string) bool {
	return slices.Contains([]string{".csv", ".tsv", ".parquet"}, filepath.Ext(strings.TrimSuffix(strings.ToLower(file), ".gz")))
}

// enrolFlag adds --enrol to a command that publishes.
func enrolFlag(command *cobra.Command) *hub.Enrolment {
	enrolment := hub.EnrolRetrain
	command.Flags().TextVar(&enrolment, "enrol", enrolment, "`retrain|observe|refuse`: what a model without a monitor gets")
	_ = command.RegisterFlagCompletionFunc("enrol", cobra.FixedCompletions(
		[]string{string(hub.EnrolRetrain), string(hub.EnrolObserve), string(hub.EnrolRefuse)}, cobra.ShellCompDirectiveNoFileComp))
	return &enrolment
}

// publishing is one call of publish.
type publishing struct {
	server    *server
	stderr    io.Writer
	timeout   time.Duration
	enrolment hub.Enrolment

	hub      *hub.Hub
	models   map[string]struct{} // that hub has seen
	notes    notes.Notes
	accepted int64 // events that a hub has taken
	missing  int64 // of those, the ones that are not durable
	faults   []error
}

func (p *publishing) open() {
	p.hub = hub.New(p.server.Client, hub.Options{
		TaskQueue: string(p.server.settings.TaskQueue), Logger: p.server.log, Enrolment: p.enrolment,
	})
	p.models = map[string]struct{}{}
}

// publish hands over a valid event. A hub is full when it has seen more models
// or versions than it holds at once; then what it has is made durable, and
// another one goes on.
func (p *publishing) publish(ctx context.Context, event metric.Event) error {
	p.notes.Look(ctx, &event)
	err := p.hub.Publish(ctx, event)
	if err != nil && ctx.Err() == nil {
		p.deliver()
		p.open()
		err = p.hub.Publish(ctx, event)
	}
	if err != nil {
		return err
	}
	p.accepted++
	p.models[event.ModelName] = struct{}{}
	return nil
}

// deliver returns when all is durable, or the time for it is up. A hub sends for
// so many models a second, whatever the number of events.
func (p *publishing) deliver() {
	allowed := p.timeout + time.Duration(len(p.models))*time.Second/hub.DefaultBudget
	ctx, cancel := context.WithTimeout(context.Background(), allowed) // Ctrl-C lets it finish
	defer cancel()
	err := p.hub.Close(ctx)
	if err == nil {
		return
	}

	var lost *hub.NotDurableError
	if errors.As(err, &lost) {
		for _, events := range lost.Events {
			p.missing += events
		}
	}

	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if ctx.Err() != nil {
		text += fmt.Sprintf(": the server at %s did not take them within %v; see what it counts with `modelvigil status` before you publish them again", p.server.address, allowed)
	}
	p.faults = append(p.faults, errors.New(text))
}

// publishLines publishes each line that is good, and reports each one that isn't.
func (p *publishing) publishLines(ctx context.Context, file string, source io.Reader) error {
	in := input.NewLines(ctx, source)
	bad := 0
	for {
		line, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && bad == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: %s bad, named above; mend and publish only what was bad", file, plain.CountIs(bad, "line"))
		case ctx.Err() != nil:
			return fmt.Errorf("%s: interrupted after line %d; what was read until there is published, the rest is not", file, in.Number-1)
		case err != nil && !errors.Is(err, input.ErrLongLine):
			return fmt.Errorf("read %s after line %d: %w; what was read until there is published", file, in.Number-1, err)
		case err == nil:
			err = p.publishLine(ctx, line)
		}

		if err != nil {
			bad++
			where := fmt.Sprintf("%s: line %d: ", file, in.Number)
			_, _ = fmt.Fprintln(p.stderr, where+strings.ReplaceAll(err.Error(), "\n", "\n"+where))
		}
	}
}

func (p *publishing) publishLine(ctx context.Context, line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("is not UTF-8 text")
	}
	var event metric.Event
	if err := json.Unmarshal(line, &event); err != nil {
		return strict.Got(err, line)
	}
	if err := event.Validate(time.Now()); err != nil {
		return err
	}

	return p.publish(ctx, event)
}
