package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// ShownRejections is how many rejected rows are shown; all are counted.
const ShownRejections = 5

// Policies reads the policies that are tested beside each other.
func Policies(files []string, stdin io.Reader) ([]backtest.Policy, error) {
	documents, err := document.ReadForAny(files, stdin)
	inFile := map[string]int{}
	for _, d := range documents {
		inFile[d.File]++
	}
	policies := make([]backtest.Policy, len(documents))
	for i, d := range documents {
		policies[i] = backtest.Policy{Label: d.File, ModelName: d.Model, Policy: d.Policy}
		if inFile[d.File] > 1 {
			policies[i].Document = d.Number
		}
	}

	return policies, err
}

// Events are the recorded events that a command is given, and how they are read.
type Events struct {
	Files   []string          // - is standard input
	Model   string            // of events that name none; empty: that of the policies, where it is one
	Columns map[string]string // of fields and metrics that are called otherwise
	Metrics []string          // beside those that rules are about
	Zone    *time.Location    // of times that say none; nil: UTC
	Decimal string            // what fractions in a CSV stand behind: a comma, or a point where that is empty
	Strict  bool              // whether the first row that makes no sense ends it

	Stdin  io.Reader
	Stderr io.Writer // is told of rows that were rejected, and of progress
}

// Recorded is what was read of the events.
type Recorded struct {
	Events   *recording.Recording // nil where they were replayed as they were read
	Results  []backtest.Result    // where they were
	Models   []string             // by name
	Total    int64
	Rejected int64
	Outlines []*recording.Outline
}

// ModelNames are the first of the models, for a sentence.
func (r *Recorded) ModelNames() string {
	const shown = 5
	var names []string
	for _, name := range r.Models[:min(len(r.Models), shown)] {
		names = append(names, strconv.Quote(name))
	}
	return strings.Join(names, ", ") + plain.AndMore(len(r.Models)-shown)
}

// Replay runs the policies over the events as they are read. Where the files can't be
// read again, or turn out not to be in order, it only collects them.
func (e *Events) Replay(ctx context.Context, policies []backtest.Policy, options backtest.Options) (*Recorded, error) {
	if !e.canReadAgain() {
		return e.Collect(ctx, policies)
	}

	stream := backtest.NewStream(policies, options)
	read, err := e.readAll(ctx, policies, func(reader *recording.Reader, file string, source io.Reader) error {
		return reader.Stream(ctx, file, source, func(batch *recording.Batch) error { return stream.Add(ctx, batch) })
	})
	if errors.Is(err, recording.ErrOrder) {
		return e.Collect(ctx, policies)
	}
	if err != nil {
		return nil, err
	}

	read.Models = stream.Models()
	read.Rejected = stream.Rejected()
	read.Results, err = stream.Finish()
	return read, err
}

// Collect reads all events into memory, sorted, as far as the policies are about them.
func (e *Events) Collect(ctx context.Context, policies []backtest.Policy) (*Recorded, error) {
	var collecting *recording.Reader
	read, err := e.readAll(ctx, policies, func(reader *recording.Reader, file string, source io.Reader) error {
		collecting = reader
		return reader.Read(ctx, file, source)
	})
	if err != nil {
		return nil, err
	}

	read.Events = collecting.Recording()
	read.Rejected = read.Events.Rejected
	for _, model := range read.Events.Models {
		read.Models = append(read.Models, model.Name)
	}
	return read, nil
}

// canReadAgain says that all events are in files, not in pipes.
func (e *Events) canReadAgain() bool {
	return !slices.ContainsFunc(e.Files, func(file string) bool {
		info, err := os.Stat(file)
		return file == "-" || err != nil || !info.Mode().IsRegular()
	})
}

// readAll reads the files one after the other. What is rejected is told on standard error
// once all is read, for it may be read again.
func (e *Events) readAll(
	ctx context.Context, policies []backtest.Policy, read func(reader *recording.Reader, file string, source io.Reader) error,
) (*Recorded, error) {
	reader := recording.Reader{ModelName: e.Model, Columns: e.Columns, Zone: e.Zone, Wanted: e.wanted(policies, false), WantedCategory: e.wanted(policies, true)}
	reader.DecimalComma = e.Decimal == ","
	if reader.ModelName == "" {
		reader.ModelName = onlyModel(policies)
	}

	rejected := 0
	var said []string
	reader.OnRejection = func(rejection *recording.Rejection) error {
		if e.Strict {
			return rejection
		}
		if rejected++; rejected <= ShownRejections {
			said = append(said, strings.Split(rejection.Error(), "\n")...)
		}
		return nil
	}
	reader.OnNote = func(file, text string) { said = append(said, file+": "+text) }

	err := e.readFiles(ctx, func(file string, source io.Reader) error { return read(&reader, file, source) })
	if errors.Is(err, recording.ErrOrder) {
		return nil, err
	}

	if more := rejected - ShownRejections; more > 0 {
		said = append(said, plain.CountIs(more, "more row")+" rejected")
	}
	for _, line := range said {
		_, _ = fmt.Fprintln(e.Stderr, plain.Text(line))
	}
	if rejection := (*recording.Rejection)(nil); errors.As(err, &rejection) {
		err = fmt.Errorf("%w; without --strict such rows are counted and passed over", err)
	}
	if err != nil {
		return nil, err
	}

	outlined := &Recorded{Outlines: reader.Outlines()}
	for _, outline := range outlined.Outlines {
		outlined.Total += outline.Events
	}
	return outlined, nil
}

func (e *Events) readFiles(ctx context.Context, read func(file string, source io.Reader) error) error {
	size := int64(0)
	for _, file := range e.Files {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}
	progress := ShowProgress(e.Stderr, "reading", size)
	defer progress.End()

	for _, file := range e.Files {
		if file == "-" {
			if err := read(document.Called(file), Interruptible(ctx, e.Stdin)); err != nil {
				return err
			}
			continue
		}

		opened, err := os.Open(file)
		if err != nil {
			return err
		}
		err = read(plain.Text(file), progress.Counted(opened))
		_ = opened.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted says which metrics, or which categories, are read: those that a rule is about,
// or that were asked for.
func (e *Events) wanted(policies []backtest.Policy, isCategory bool) func(string) bool {
	measured := map[string]bool{}
	var drifts []policy.Rule
	for _, name := range e.Metrics {
		measured[name] = !isCategory
	}
	for _, tested := range policies {
		for _, rule := range tested.WithDefaults().Rules {
			if rule.Metric != "" && !isCategory {
				measured[rule.Metric] = true
			}
			if rule.Drift != nil {
				drifts = append(drifts, rule)
			}
		}
	}

	return func(name string) bool {
		return measured[name] || slices.ContainsFunc(drifts, func(r policy.Rule) bool { return r.Watches(name, isCategory) })
	}
}

// onlyModel is the model that all policies are for, or empty.
func onlyModel(policies []backtest.Policy) string {
	for _, policy := range policies {
		if policy.ModelName != policies[0].ModelName {
			return ""
		}
	}
	return policies[0].ModelName
}
