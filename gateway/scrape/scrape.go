// Package scrape asks Prometheus for what models export to it already, and
// publishes the answers as metric events. docs/feeding.md says how it is set up.
package scrape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	// Pauses between attempts to ask a Prometheus that is away.
	firstPause   = time.Second
	longestPause = 30 * time.Second
	// flushTimeout bounds how long a round waits until its events are durable; the
	// hub goes on trying after it.
	flushTimeout = 30 * time.Second
	// maxTold bounds how many skipped samples of a round are named.
	maxTold = 5
)

// Hub is what takes the events of a round, such as a *hub.Receipt: its Flush speaks
// of these alone, so that a loss of one round is not held against the next.
type Hub interface {
	Publish(ctx context.Context, event metric.Event) error
	Flush(ctx context.Context) error
}

// Scraper publishes what a file's queries give.
type Scraper struct {
	file       File
	prometheus *prometheus
	memory     *memory
	log        *slog.Logger
	metrics    *metrics
	isAway     bool
}

// New returns a scraper of a file. It asks nothing yet.
func New(file File, log *slog.Logger) (*Scraper, error) {
	p, err := connect(file.Prometheus)
	if err != nil {
		return nil, err
	}
	remembered, err := recall(file.StateFile)
	if err != nil {
		return nil, err
	}
	return &Scraper{file: file, prometheus: p, memory: remembered, log: log, metrics: newMetrics()}, nil
}

// Run asks and publishes at each multiple of the interval, until ctx ends. A
// Prometheus that is away is tried again until the next round begins. Each round
// opens a hub of its own.
func (s *Scraper) Run(ctx context.Context, open func() Hub) {
	interval := time.Duration(s.file.Interval)
	for {
		at := time.Now().Truncate(interval).Add(interval)
		if !pause(ctx, time.Until(at)) {
			return
		}

		round, cancel := context.WithDeadline(ctx, at.Add(interval))
		_, err := s.Once(round, open(), at)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn("a round is not complete", "at", at.UTC(), "error", plain.Faults(err))
		}
	}
}

// Once asks each query as of a time, and returns how many events it has published;
// without an error they are durable. A server that is away is tried again until ctx ends.
func (s *Scraper) Once(ctx context.Context, h Hub, at time.Time) (published int, err error) {
	var faults []error
	for _, q := range s.file.Queries {
		n, err := s.query(ctx, h, q, at)
		published += n
		faults = append(faults, err)
	}

	if published > 0 {
		flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		faults = append(faults, h.Flush(flushing))
		if flushing.Err() != nil { // what is not durable is published again by who comes after a crash
			return 0, errors.Join(faults...)
		}
	}

	if err := errors.Join(append(faults, s.memory.save(at))...); err != nil {
		return published, err
	}

	s.metrics.lastRound.SetToCurrentTime()
	s.log.Debug("scraped", "at", at.UTC(), "events", published)
	return published, nil
}

// query publishes what one query gives.
func (s *Scraper) query(ctx context.Context, h Hub, q Query, at time.Time) (published int, err error) {
	samples, err := s.askUntil(ctx, q, at)
	if err != nil {
		s.metrics.queries.WithLabelValues("failed").Inc()
		return 0, err
	}

	s.metrics.queries.WithLabelValues("answered").Inc()
	var told []string
	for _, sample := range samples {
		if sample.skipped == "" && s.memory.has(q, sample) {
			sample.skipped = skipSeen
		}
		if sample.skipped == "" {
			if err := h.Publish(ctx, sample.event); err != nil {
				sample.skipped = skipInvalid
				sample.why = err.Error()
			}
		}

		if sample.skipped == "" {
			published++
			s.memory.add(q, sample)
			s.metrics.samples.WithLabelValues("published").Inc()
			continue
		}

		s.metrics.samples.WithLabelValues(sample.skipped).Inc()
		if sample.why != "" && len(told) < maxTold {
			told = append(told, sample.why)
		}
	}

	if len(told) > 0 {
		s.log.Warn("samples are skipped", "query", q.PromQL, "why", strings.Join(told, " | "))
	}
	return published, nil
}

// askUntil asks until there is an answer, a refusal, or no time left.
func (s *Scraper) askUntil(ctx context.Context, q Query, at time.Time) ([]sample, error) {
	for wait := firstPause; ; wait = min(2*wait, longestPause) {
		answer, warnings, err := s.prometheus.ask(ctx, q.PromQL, at)
		for _, warning := range warnings {
			s.log.Warn("Prometheus warns", "query", q.PromQL, "warning", warning)
		}
		if err == nil {
			if s.isAway {
				s.isAway = false
				s.log.Info("Prometheus answers again", "address", s.file.Prometheus.Address)
			}
			return q.samplesOf(answer)
		}
		if !passes(err) {
			return nil, err
		}

		if !s.isAway && ctx.Err() == nil {
			s.isAway = true
			s.log.Warn("Prometheus gives no answer; trying again", "error", plain.Faults(err))
		}

		if deadline, has := ctx.Deadline(); has && time.Until(deadline) < wait || !pause(ctx, wait) {
			return nil, err
		}
	}
}

// Check asks each query once, and writes the events that would be published, one
// to a line, and what the server warns of. The error says which queries give none, and
// which samples are skipped.
func (s *Scraper) Check(ctx context.Context, out, notes io.Writer, at time.Time) error {
	var faults []error
	encoder := json.NewEncoder(out)
	for i, q := range s.file.Queries {
		where := fmt.Sprintf("queries[%d]", i)
		answer, warnings, err := s.prometheus.ask(ctx, q.PromQL, at)
		for _, warning := range warnings {
			_, _ = fmt.Fprintf(notes, "%s: Prometheus warns: %s\n", where, plain.Text(warning))
		}
		var samples []sample
		if err == nil {
			samples, err = q.samplesOf(answer)
		}
		if err == nil && len(samples) == 0 {
			err = fmt.Errorf("%s: gives nothing now", q.PromQL)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s", where, plain.Faults(err)))
			continue
		}

		for _, sample := range samples {
			if sample.skipped != "" {
				faults = append(faults, fmt.Errorf("%s: skipped: %s", where, plain.Faults(errors.New(sample.why))))
			} else if err := encoder.Encode(sample.event); err != nil {
				return err
			}
		}
	}

	return errors.Join(faults...)
}

// pause waits, and says whether ctx still lives.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
