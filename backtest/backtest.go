// Package backtest replays recorded metrics through the decision machine of
// production, monitor.Machine, to show what a policy would have done.
//
// It is open loop: the recorded metrics do not change by the retrainings that it
// imagines. A model that stays bad in the recording goes on breaching, however
// often the policy would have retrained it.
package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Training is what becomes of the retrainings that a backtest imagines.
type Training string

// What becomes of retrainings.
const (
	TrainingSucceeds Training = "succeeded"
	TrainingFails    Training = "failed"
	TrainingAccepted Training = "accepted" // by a backend that can't be followed
)

// Options say how to replay.
type Options struct {
	// TrainingTime is from a trigger to its outcome, 0 or more; 0 means at the same
	// instant, so that the cooldown alone spaces retrainings.
	TrainingTime time.Duration
	// Training is the outcome of every retraining; default TrainingSucceeds. A
	// success names no new version: recordings hold their own.
	Training Training
	// OnDecision, where set, hears of each decision as it falls, also of those that go on
	// a streak. It must not keep it.
	OnDecision func(*monitor.Decision)
	// Backend, where set, is asked for each retraining in place of the imagined one, and
	// answers by Simulator.Outcome; TrainingTime and Training then say nothing.
	Backend func(modelops.Request)
	// ApproveAfter, where set, is how long an operator takes to approve a trigger that
	// waits for it, 0 or more; without it nobody answers.
	ApproveAfter metric.Optional[time.Duration]
	// ArrivalDelay is from an event's timestamp to when the monitor handles it, 0 or
	// more. The clock of all decisions is that of arrival. Of an event whose recording
	// says when it arrived, that counts.
	ArrivalDelay time.Duration
	// Drifts are known ones, ascending, that alarms are held against; nil for none.
	Drifts []Drift
	// Datapoints says that results keep every datapoint, and of drift rules what some of
	// them looked like.
	Datapoints bool
	// Bounds are those of drift rules that were found; default new ones, which all that
	// one call replays share. A simulator by itself keeps none without.
	Bounds *Bounds
	// Progress, where set, hears of each batch of events replayed, from any
	// goroutine; TotalEvents says of how many.
	Progress func(events int64)
}

// Policy is one to be replayed.
type Policy struct {
	Label     string // what results call it: its file
	Document  int    // its number in its file, from 1, where that holds several; else 0
	ModelName string // the model it is for; empty means every model
	policy.Policy
}

// Summary counts what a policy would have done with a model's events.
type Summary struct {
	Policy    string `json:"policy"`
	Document  int    `json:"document,omitempty"`
	ModelName string `json:"model_name"`

	Events      int64                         `json:"events"`
	Rejected    int64                         `json:"rejected"` // rows and events that could not be taken
	Breaches    int64                         `json:"breaches"`
	Warnings    int64                         `json:"warnings"`   // breaches of rules that only warn
	Suppressed  map[monitor.Suppression]int64 `json:"suppressed"` // of Breaches
	Retrainings monitor.RetrainingCounters    `json:"retrainings"`

	First time.Time `json:"first,omitzero"` // the clock at the first event
	Last  time.Time `json:"last,omitzero"`  // and at the last
	// TimeInBreach is the length of all spans together in which a rule that can
	// trigger was breaching; see breachSpans.
	TimeInBreach policy.Duration `json:"time_in_breach"`
	// Detection holds triggers against the known points of drift; nil without any.
	Detection *Detection `json:"detection,omitempty"`
}

// Result is a policy over one model's events. Its decisions are all that fell, in
// order, streaks merged as the monitor's own log does.
type Result struct {
	Summary
	Rules      []Account          `json:"rules"` // in the policy's order
	Decisions  []monitor.Decision `json:"decisions"`
	Datapoints []Datapoint        `json:"-"` // as they were judged, if Options ask for them
	looks      map[int]*looks     // by the number of the drift rule, if Options ask for datapoints

	rules []policy.Rule
}

// ErrNoEvents says that there is nothing to replay.
var ErrNoEvents = errors.New("there are no events to replay")

// task is one policy over one model.
type task struct {
	policy Policy
	model  *recording.Model
}

// tasks pairs policies and models. A policy for a model without events is
// paired with none.
func tasks(recorded *recording.Recording, policies []Policy) (all []task) {
	for _, policy := range policies {
		if policy.ModelName != "" {
			model := recorded.Model(policy.ModelName)
			if model == nil {
				model = &recording.Model{Name: policy.ModelName}
			}
			all = append(all, task{policy, model})
			continue
		}

		for _, model := range recorded.Models {
			all = append(all, task{policy, model})
		}
	}

	return all
}

// TotalEvents is how many events Run replays for so many policies, each once for
// each policy that it meets.
func TotalEvents(recorded *recording.Recording, policies []Policy) (total int64) {
	for _, t := range tasks(recorded, policies) {
		total += int64(t.model.Len())
	}
	return total
}

// Run replays the recording through each policy, as many at once as there are
// processors. A result for each policy and each model that it is for comes in
// the order of the policies, then of the models' names; a policy whose model has
// no events has a result without events. The policies must be valid.
func Run(ctx context.Context, recorded *recording.Recording, policies []Policy, options Options) ([]Result, error) {
	if len(recorded.Models) == 0 {
		return nil, ErrNoEvents
	}

	options.Bounds = cmp.Or(options.Bounds, &Bounds{})
	all := tasks(recorded, policies)
	results := make([]Result, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range all {
		group.Go(func() (err error) {
			results[i], err = replay(ctx, t, options)
			return err
		})
	}

	return results, group.Wait()
}

// replayBatch is how many events are replayed between two looks at the context.
const replayBatch = 1 << 16

func replay(ctx context.Context, t task, options Options) (Result, error) {
	simulator := NewSimulator(t.model.Name, t.policy.Policy, options)
	var row table.Row
	for from := 0; from < t.model.Len(); from += replayBatch {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("backtest %s over %q: %w", t.policy.Label, t.model.Name, err)
		}

		until := min(from+replayBatch, t.model.Len())
		for i := from; i < until; i++ {
			arrived := t.model.Row(i, &row)
			simulator.ObserveRow(&row, arrived)
		}
		if options.Progress != nil {
			options.Progress(int64(until - from))
		}
	}

	result := simulator.Finish()
	result.name(t.policy)
	result.Rejected += t.model.Rejected
	return result, nil
}

// Judging is the rule of an account.
func (r *Result) Judging(account int) *policy.Rule { return &r.rules[account] }

func (r *Result) name(policy Policy) {
	r.Policy = policy.Label
	r.Document = policy.Document
}
