package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/starter/backtest"
)

// shownRejections is how many rejected rows are shown; all are counted.
const shownRejections = 5

// readPolicies reads policy files as apply does, but that a document may be for
// every model, and that a model may have any number of policies. Every fault is
// named.
func readPolicies(files []string, stdin io.Reader) ([]backtest.Policy, error) {
	var policies []backtest.Policy
	var faults []error
	for _, file := range files {
		text, err := readFile(file, stdin)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		parts, err := split(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", called(file), err))
		} else if len(parts) == 0 {
			faults = append(faults, fmt.Errorf("%s: has no document; {} is the default policy", called(file)))
		}
		for i := range parts {
			policy, err := parsePolicy(parts[i])
			if policy.Label = file; len(parts) > 1 {
				policy.Document = i + 1
			}
			if err != nil {
				where := fmt.Sprintf("%s: document %d: ", called(file), i+1)
				faults = append(faults, errors.New(where+strings.ReplaceAll(err.Error(), "\n", "\n"+where)))
			}
			policies = append(policies, policy)
		}
	}
	return policies, errors.Join(faults...)
}

// parsePolicy reads the wire form of a policy, to which model_name may be added.
func parsePolicy(p part) (policy backtest.Policy, err error) {
	object, err := toJSON(p)
	if err != nil {
		return policy, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil || fields == nil {
		return policy, errors.New("must be a mapping of the fields of a policy; {} is the default policy")
	}
	var faults []error
	if name, given := fields["model_name"]; given {
		if err := json.Unmarshal(name, &policy.ModelName); err != nil || string(name) == "null" {
			faults = append(faults, fmt.Errorf("model_name: must be a string, got %s; put it in quotes", plain(string(name))))
		} else {
			faults = append(faults, monitor.ValidateModelName(policy.ModelName))
		}
		delete(fields, "model_name")
	}
	rest, err := json.Marshal(fields)
	if err == nil {
		policy.Policy, err = monitor.DecodePolicy(rest)
	}
	return policy, errors.Join(append(faults, err)...)
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
			_, _ = fmt.Fprintln(b.stderr, plain(line))
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
		return reader.Read(ctx, called(file), newInterruptible(ctx, b.stdin))
	}
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	return reader.Read(ctx, plain(file), progress.of(opened))
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
