package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// result is what came of one run.
type result struct {
	faults         []fault
	acked, counted int64 // events
	retrainings    int   // asked for
	histories      int
	held, refused  int // ends of runs held back; signals of the stray sender refused for it
	violations     []string
	took           time.Duration
}

// run starts a cluster, does the faults to it, lets it come to rest and checks. When a
// program has ended by itself, or a fault could not be taken back, it waits for nothing more.
func run(whole context.Context, o options, seed uint64, faults []fault, length time.Duration) (r result, err error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", fmt.Sprintf("modelvigil-chaos-%d-", seed))
	if err != nil {
		return r, err
	}

	var mu sync.Mutex
	fault := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		r.violations = append(r.violations, err.Error())
	}

	ctx, giveUp := context.WithCancel(whole)
	defer giveUp()
	r.faults = faults
	c, err := startCluster(ctx, o, dir, func(err error) { fault(err); giveUp() })
	if err != nil {
		return r, err
	}

	strayCtx, stopStray := context.WithCancel(ctx)
	defer stopStray()
	var straying sync.WaitGroup
	straying.Go(func() {
		(&stray{temporal: c.front.client, claims: c.claims, random: rand.New(rand.NewPCG(seed, 1)), models: o.models}).run(strayCtx)
	})

	inflict(ctx, c, faults, length, o.progress)
	calm := time.Now()
	// Breaches go on until every model was retrained once more. An attempt that died with its
	// worker is given up after a minute, and the cooldown follows.
	_ = eventually(ctx, "", func(context.Context) bool { return c.trainer.heardOfAll(o.models, calm) }) // else the check says who is missing
	stopStray()
	straying.Wait()
	r.held, r.refused = int(c.front.held.Load()), int(c.front.refused.Load())
	c.closePublishers()
	if ctx.Err() == nil {
		if err := c.check(ctx, &r, calm, fault); err != nil {
			fault(err)
		}
	}

	mu.Lock()
	defer mu.Unlock()
	r.violations = append(r.violations, c.claims.faults...)
	c.stop()
	r.took = time.Since(began)
	if len(r.violations) == 0 && !o.keep {
		return r, errors.Join(whole.Err(), os.RemoveAll(dir))
	}

	o.progress("logs and the server's database are in %s", dir)
	return r, whole.Err()
}

// inflict does each fault at its time, and returns when all are over.
func inflict(ctx context.Context, c *cluster, faults []fault, length time.Duration, progress func(string, ...any)) {
	began := time.Now()
	var under sync.WaitGroup
	for _, f := range faults {
		under.Go(func() {
			if !sleep(ctx, f.At-time.Since(began)) {
				return
			}
			progress("%v", f)
			end := c.begin(f)
			sleep(ctx, f.For)
			if err := end(); err != nil {
				c.failed(fmt.Errorf("end of %v: %w", f, err))
			}
		})
	}

	under.Wait()
	sleep(ctx, length-time.Since(began))
}

// check waits until every monitor has taken in what was sent, and holds it
// against the invariants.
func (c *cluster) check(ctx context.Context, r *result, calm time.Time, fault func(error)) error {
	said := slices.Collect(maps.Values(c.claims.said))
	for _, s := range said {
		if s.mark == rejected {
			continue
		}
		if r.acked += s.acked; s.model == "" {
			r.acked += s.acked * int64(c.options.models-1)
		}
	}

	for m := range c.options.models {
		model := modelName(m)
		var last monitor.Status
		violated := func() []string {
			return check(record{model, last, c.trainer.asked(model), c.options.cooldown, calm}, said)
		}
		_ = eventually(ctx, "", func(ctx context.Context) bool { // else the check says what is missing
			before := last.Signals
			answer, err := c.temporal.QueryWorkflow(ctx, contract.WorkflowID(model), "", contract.QueryStatus)
			var s monitor.Status
			if err != nil || answer.Get(&s) != nil {
				return false
			}
			last = s
			return s.Current == nil && s.Signals == before && len(violated()) == 0
		})
		if last.ModelName == "" {
			fault(fmt.Errorf("%s: the monitor does not answer", model))
			continue
		}

		r.counted += last.Events
		r.retrainings += len(c.trainer.asked(model))
		for _, violation := range violated() {
			fault(errors.New(violation))
		}
		histories, violations, err := replay(ctx, c.temporal, model)
		r.histories += histories
		for _, violation := range violations {
			fault(errors.New(violation))
		}
		if err != nil {
			return err
		}
	}

	return nil
}

// sleep reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// options are what every run of a series has in common.
type options struct {
	bin, temporal string
	models, rate  int // events a second, over all models
	cooldown      time.Duration
	keep          bool
	progress      func(string, ...any)
}

func (o options) program(name string) string { return filepath.Join(o.bin, name) }
