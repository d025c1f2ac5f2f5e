package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// shownRejections is how many rejected rows are shown; all are counted.
const shownRejections = 5

// rivals reads the policies that are tested beside each other.
func (b *backtesting) rivals() ([]backtest.Policy, error) {
	documents, err := document.ReadForAny(b.policyFiles, b.stdin)
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

// readEvents are what was read of the events.
type readEvents struct {
	events   *recording.Recording // nil where they were streamed
	results  []backtest.Result    // where they were
	models   []string             // by name
	total    int64
	rejected int64
	outlines []*recording.Outline
}

// read reads all events. What is rejected is told on standard error. Where the files
// can be read again and nothing needs the events twice, they are replayed as they are
// read; only if they turn out not to be in order are they read into memory, sorted.
func (b *backtesting) read(ctx context.Context, policies []backtest.Policy) (*readEvents, error) {
	if len(b.sweeps) == 0 && b.report == "" && b.canReadAgain() {
		stream := backtest.NewStream(policies, b.options)
		read, err := b.readAll(ctx, policies, func(reader *recording.Reader, file string, source io.Reader) error {
			return reader.Stream(ctx, file, source, func(batch *recording.Batch) error { return stream.Add(ctx, batch) })
		})
		if !errors.Is(err, recording.ErrOrder) {
			if err != nil {
				return nil, err
			}

			read.models = stream.Models()
			read.rejected = stream.Rejected()
			read.results, err = stream.Finish()
			return read, err
		}
	}

	return b.collect(ctx, policies)
}

// collect reads all events into memory, sorted.
func (b *backtesting) collect(ctx context.Context, policies []backtest.Policy) (*readEvents, error) {
	var collecting *recording.Reader
	read, err := b.readAll(ctx, policies, func(reader *recording.Reader, file string, source io.Reader) error {
		collecting = reader
		return reader.Read(ctx, file, source)
	})
	if err != nil {
		return nil, err
	}

	read.events = collecting.Recording()
	read.rejected = read.events.Rejected
	for _, model := range read.events.Models {
		read.models = append(read.models, model.Name)
	}
	return read, nil
}

// canReadAgain says that all events are in files, not in pipes.
func (b *backtesting) canReadAgain() bool {
	return !slices.ContainsFunc(b.eventFiles, func(file string) bool {
		info, err := os.Stat(file)
		return file == "-" || err != nil || !info.Mode().IsRegular()
	})
}

// readAll reads the files one after the other.
func (b *backtesting) readAll(
	ctx context.Context, policies []backtest.Policy, read func(reader *recording.Reader, file string, source io.Reader) error,
) (*readEvents, error) {
	reader := recording.Reader{ModelName: b.model, Columns: b.columns, Zone: b.zone, Wanted: b.wanted(policies, false), WantedCategory: b.wanted(policies, true)}
	if reader.ModelName == "" {
		reader.ModelName = onlyModel(policies)
	}

	rejected := 0
	var said []string // once all is read, for it may be read again
	reader.OnRejection = func(rejection *recording.Rejection) error {
		if b.strict {
			return rejection
		}
		if rejected++; rejected <= shownRejections {
			said = append(said, strings.Split(rejection.Error(), "\n")...)
		}
		return nil
	}
	reader.OnNote = func(file, text string) { said = append(said, file+": "+text) }

	size := int64(0)
	for _, file := range b.eventFiles {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}

	progress := showProgress(b.stderr, "reading", size)
	err := b.readFiles(ctx, progress, func(file string, source io.Reader) error { return read(&reader, file, source) })
	progress.end()
	if errors.Is(err, recording.ErrOrder) {
		return nil, err
	}

	if more := rejected - shownRejections; more > 0 {
		said = append(said, plain.CountIs(more, "more row")+" rejected")
	}
	for _, line := range said {
		_, _ = fmt.Fprintln(b.stderr, plain.Text(line))
	}
	if rejection := (*recording.Rejection)(nil); errors.As(err, &rejection) {
		err = fmt.Errorf("%w; without --strict such rows are counted and passed over", err)
	}
	if err != nil {
		return nil, err
	}

	outlined := &readEvents{outlines: reader.Outlines()}
	for _, outline := range outlined.outlines {
		outlined.total += outline.Events
	}
	return outlined, nil
}

func (b *backtesting) readFiles(ctx context.Context, progress *progress, read func(file string, source io.Reader) error) error {
	for _, file := range b.eventFiles {
		if file == "-" {
			if err := read(document.Called(file), newInterruptible(ctx, b.stdin)); err != nil {
				return err
			}
			continue
		}

		opened, err := os.Open(file)
		if err != nil {
			return err
		}
		err = read(plain.Text(file), &countingFile{opened, progress})
		_ = opened.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted says which metrics, or which categories, are read: those that a rule is about,
// or that were asked for.
func (b *backtesting) wanted(policies []backtest.Policy, isCategory bool) func(string) bool {
	measured := map[string]bool{}
	var drifts []policy.Rule
	for _, name := range b.metrics {
		measured[name] = !isCategory
	}
	for _, tested := range append(slices.Clone(policies), b.swept...) {
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

// progress is a line on a terminal that says how far long work is; elsewhere it
// says nothing.
type progress struct {
	done    atomic.Int64
	stop    chan struct{}
	stopped chan struct{}
}

const (
	progressAfter = time.Second // shorter work shows none
	progressEvery = 200 * time.Millisecond
)

func showProgress(w io.Writer, what string, total int64) *progress {
	p := &progress{stop: make(chan struct{}), stopped: make(chan struct{})}
	file, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || total <= 0 {
		close(p.stopped)
		return p
	}

	go func() {
		defer close(p.stopped)
		shown, wait := false, time.NewTimer(progressAfter)
		defer wait.Stop()
		for {
			select {
			case <-p.stop:
				if shown {
					_, _ = fmt.Fprint(w, "\r\033[K")
				}
				return
			case <-wait.C:
				shown = true
				share := min(1, float64(p.done.Load())/float64(total))
				const width = 30
				full := int(share * width)
				_, _ = fmt.Fprintf(w, "\r%s %s%s %3.0f %%", what, strings.Repeat("█", full), strings.Repeat("░", width-full), 100*share)
				wait.Reset(progressEvery)
			}
		}
	}()
	return p
}

func (p *progress) add(n int64) { p.done.Add(n) }

// end takes the line away.
func (p *progress) end() {
	close(p.stop)
	<-p.stopped
}

// countingFile counts what is read of a file.
type countingFile struct {
	*os.File
	progress *progress
}

// Read implements io.Reader.
func (f *countingFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.progress.add(int64(n))
	return n, err
}

func modelNames(models []string) string {
	const shown = 5
	var names []string
	for _, name := range models[:min(len(models), shown)] {
		names = append(names, strconv.Quote(name))
	}
	return strings.Join(names, ", ") + plain.AndMore(len(models)-shown)
}
