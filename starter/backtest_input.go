package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
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

// read reads all events. What is rejected is told on standard error.
func (b *backtesting) read(ctx context.Context, policies []backtest.Policy) (*backtest.Recording, error) {
	rejected := 0
	reader := backtest.Reader{ModelName: b.model, Columns: b.columns}
	if reader.ModelName == "" {
		reader.ModelName = onlyModel(policies)
	}
	tell := func(text string) {
		for line := range strings.SplitSeq(text, "\n") {
			_, _ = fmt.Fprintln(b.stderr, plain.Text(line))
		}
	}

	reader.OnRejection = func(rejection *backtest.Rejection) error {
		if b.strict {
			return rejection
		}
		if rejected++; rejected <= shownRejections {
			tell(rejection.Error())
		}
		return nil
	}

	reader.OnNote = func(file, text string) { tell(file + ": " + text) }
	size := int64(0)
	for _, file := range b.eventFiles {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}

	progress := showProgress(b.stderr, "reading", size)
	defer progress.end()
	for _, file := range b.eventFiles {
		if err := b.readEvents(ctx, &reader, file, progress); err != nil {
			if rejection := (*backtest.Rejection)(nil); errors.As(err, &rejection) {
				err = fmt.Errorf("%w; without --strict such rows are counted and passed over", err)
			}
			return nil, err
		}
	}

	if more := rejected - shownRejections; more > 0 {
		tell(fmt.Sprintf("%s rejected", isOrAre(more, "more row")))
	}
	return reader.Recording(), nil
}

func (b *backtesting) readEvents(ctx context.Context, reader *backtest.Reader, file string, progress *progress) error {
	if file == "-" {
		return reader.Read(ctx, document.Called(file), newInterruptible(ctx, b.stdin))
	}
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	return reader.Read(ctx, plain.Text(file), progress.of(opened))
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

// of counts what is read.
func (p *progress) of(r io.Reader) io.Reader { return &countingReader{r, p} }

type countingReader struct {
	io.Reader
	progress *progress
}

// Read implements io.Reader.
func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.progress.add(int64(n))
	return n, err
}
