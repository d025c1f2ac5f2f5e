package certify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Options say how to certify.
type Options struct {
	Per     time.Duration // what false alarms are counted per, above 0
	Samples int           // resamples, at least MinSamples
	Seed    uint64
	// Block is the mean length of a block; 0: by what depends on what, see blockOf.
	Block time.Duration
	// Drifts are known ones, in order: what is of one, until its end or, where it has
	// none, until another version, is left out of what is resampled.
	Drifts  []backtest.Drift
	Changes []Change
	// Progress, where set, hears of each resample judged, from any goroutine; Work says
	// of how many.
	Progress func(resamples int64)
}

// Bounds of Options.Samples.
const (
	MinSamples = 40 // fewer have no 95 % interval
	MaxSamples = 1_000_000
)

// Horizon is within what time a change must be found.
const Horizon = 30 * 24 * time.Hour

// Found is what became of a change.
type Found struct {
	Change   string   `json:"change"`
	Found    float64  `json:"found"`     // share of resamples in which an alarm came within Horizon
	DelayP50 *float64 `json:"delay_p50"` // seconds, of those; nil where there is none
	DelayP95 *float64 `json:"delay_p95"`
	// Mean is the delay on average, in seconds, where what is not found within Horizon
	// counts as so long.
	Mean float64 `json:"-"`
}

// Record is how often something raises false alarms and finds changes.
type Record struct {
	FalseAlarms certificate.Rate `json:"false_alarms"` // per Options.Per
	Changes     []Found          `json:"changes"`
}

// Certificate is what can be said of a policy on a model's recording.
type Certificate struct {
	Policy    string `json:"policy"`
	Document  int    `json:"document,omitempty"`
	ModelName string `json:"model_name"`
	Per       string `json:"per"`
	// Fingerprint is that of the policy, which `modelvigil apply --certificate` goes by.
	Fingerprint string `json:"fingerprint"`
	Record
	// Always is an alarm at every look that the cooldown allows, and Calendar one as
	// often as the policy's, evenly spaced; Default is the default policy, nil where it
	// is this one or the recording has none of its metrics.
	Always   Record  `json:"always"`
	Calendar Record  `json:"calendar"`
	Default  *Record `json:"default,omitempty"`

	Events  int             `json:"events"`
	LeftOut int             `json:"left_out,omitempty"` // of them, for a drift
	Length  policy.Duration `json:"length"`             // of the recording, and of a resample
	Block   policy.Duration `json:"block"`              // mean
	Season  policy.Duration `json:"season"`             // what blocks keep their time of
	Samples int             `json:"samples"`
	Seed    uint64          `json:"seed"`
	// Unjudged are rules that have judged nothing in any resample.
	Unjudged []string `json:"unjudged,omitempty"`
}

// Interval is the mean time between two false alarms; 0 where there is none.
func (c *Certificate) Interval(per time.Duration) time.Duration {
	if c.FalseAlarms.Mean == 0 {
		return 0
	}
	return time.Duration(float64(per) / c.FalseAlarms.Mean)
}

// errTooShort says that there is nothing to resample.
var errTooShort = errors.New("a recording of at least 10 events, over some time, is needed to resample it")

// Model is a model's recorded history.
type Model struct {
	Name   string
	Events []metric.Event // valid, with a timestamp, in order of it
}

// ModelOf is a model's part of a recording. Events are resampled by their timestamps,
// whenever they arrived.
func ModelOf(recorded *recording.Model) *Model {
	model := &Model{Name: recorded.Name, Events: make([]metric.Event, recorded.Len())}
	var row table.Row
	for i := range model.Events {
		recorded.Row(i, &row)
		row.Event(&model.Events[i])
	}
	slices.SortStableFunc(model.Events, func(a, b metric.Event) int { return a.Timestamp.Compare(b.Timestamp) })
	return model
}

// Run certifies a policy, which must be valid, on a model's recording. The same
// options give the same certificate, on however many processors.
func Run(ctx context.Context, model *Model, wanted backtest.Policy, options Options) (*Certificate, error) {
	r, err := NewResampler(model, wanted.Policy, options)
	if err != nil {
		return nil, err
	}

	p := r.pool
	certified := stripped(wanted.Policy)
	c := &Certificate{
		Policy: wanted.Label, Document: wanted.Document, ModelName: model.Name, Per: DurationText(options.Per), Fingerprint: wanted.Fingerprint(),
		Events: len(p.readings), LeftOut: len(model.Events) - len(p.readings), Length: policy.Duration(p.length),
		Block: policy.Duration(p.block), Season: policy.Duration(p.season), Samples: options.Samples, Seed: options.Seed,
	}
	trials := newTrials(p, certified, &r.options)
	c.Record, err = trials.run(ctx)
	if err != nil {
		return nil, err
	}

	c.Unjudged = trials.unjudged()
	c.Always = evenly(looks(certified), &options)
	if c.FalseAlarms.Mean > 0 {
		c.Calendar = evenly(c.Interval(options.Per), &options)
	} else {
		c.Calendar = evenly(0, &options)
	}

	if standard := stripped(policy.Policy{}); !standard.Equal(certified) && p.measuresAny(standard) {
		record, err := newTrials(p, standard, &r.options).run(ctx)
		if err != nil {
			return nil, err
		}
		c.Default = &record
	}

	return c, nil
}

// stripped is a policy without what stands between a breach and its alarm.
func stripped(wanted policy.Policy) policy.Policy {
	wanted = wanted.WithDefaults()
	wanted.DryRun = false
	wanted.Approval = nil
	wanted.Verify = nil
	wanted.Certificate = nil
	wanted.MaxFailures = 0
	return wanted
}

// Work is how many resamples Run judges, at most.
func Work(options *Options) int64 { return 2 * int64(options.Samples) * int64(1+len(options.Changes)) }

// each does a piece of work for each number below n, on all processors.
func each(ctx context.Context, n int, do func(i int)) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("certify: %w", err)
			}
			do(i)
			return nil
		})
	}

	return group.Wait()
}

// DurationText is a length in days where it is whole days.
func DurationText(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return policy.Duration(d).String()
}

// Carried is what a policy carries of its certificate.
func (c *Certificate) Carried() *certificate.Certificate {
	carried := &certificate.Certificate{Of: c.Fingerprint, Per: c.Per, FalseAlarms: c.FalseAlarms}
	for _, found := range c.Changes[:min(len(c.Changes), certificate.MaxChanges)] {
		kept := certificate.Found{Change: found.Change, Found: found.Found}
		if found.DelayP50 != nil {
			kept.DelayP50 = metric.Some(*found.DelayP50)
		}
		carried.Changes = append(carried.Changes, kept)
	}
	return carried
}
