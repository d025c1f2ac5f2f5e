package certify

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// trials are a policy over resamples of a pool.
type trials struct {
	pool    *pool
	policy  policy.Policy
	options *Options
	bounds  backtest.Bounds
	warmUp  time.Duration // before alarms count: whole seasons
	telling []placed      // of the pool's readings, those that the policy's alarms depend on

	mutex  sync.Mutex
	judged map[string]int64 // looks in all resamples, by rule
}

// resampledVersion is whose all resampled readings are.
const resampledVersion = "resampled"

func newTrials(p *pool, wanted policy.Policy, options *Options) *trials {
	t := &trials{pool: p, policy: wanted, options: options, judged: map[string]int64{}}
	t.warmUp = (t.learning() + p.season - 1) / p.season * p.season
	t.telling = t.tellingReadings()
	if t.isFoldable() {
		t.telling = t.pool.folded(wanted)
	}
	return t
}

// tellingReadings are all, or, where the policy remembers none that is healthy, those
// that breach: nothing else that happens makes an alarm or holds one back.
func (t *trials) tellingReadings() (breaching []placed) {
	for i := range t.policy.Rules {
		r := &t.policy.Rules[i]
		if r.Form() != policy.FormInstant || r.Below.IsZero() && r.Above.IsZero() || len(t.policy.Blackout) > 0 {
			return t.pool.readings
		}
	}

	for _, reading := range t.pool.readings {
		isBreach := false
		for i := range t.policy.Rules {
			r := &t.policy.Rules[i]
			if value, measured := reading.event.Reading(r.Metric); measured {
				t.judged[r.Name]++
				isBreach = isBreach || r.IsBeyond(value, r.Below.Or(r.Above.Value()))
			}
		}
		if isBreach {
			breaching = append(breaching, reading)
		}
	}

	return breaching
}

// settledADWIN is how many datapoints ADWIN has seen when it is as sure of a change as it
// gets: it holds those since against those before, and of a few it is never sure.
const settledADWIN = 1000

// learning is how long the rules take to learn what they measure against: a long-run
// rate begins after it, and so does a change.
func (t *trials) learning() (longest time.Duration) {
	for i := range t.policy.Rules {
		longest = max(longest, t.learns(&t.policy.Rules[i]))
	}
	return min(longest, t.pool.length)
}

// learns is how long a rule takes to.
func (t *trials) learns(r *policy.Rule) time.Duration {
	readings := func(n int64) time.Duration {
		return time.Duration(float64(n) / float64(len(t.pool.readings)) * float64(t.pool.length))
	}
	switch {
	case r.Change != nil && r.Change.Method() == policy.DetectorADWIN:
		return settledADWIN * r.PeriodLength()
	case r.Change != nil:
		return time.Duration(r.Change.WithDefaults().Samples) * r.PeriodLength()
	case r.IsDrift() && r.Drift.Reference.From == policy.ReferenceTrailing:
		return time.Duration(r.Drift.Reference.PeriodCount()) * r.PeriodLength()
	case r.IsDrift() && r.Drift.Reference.From != policy.ReferenceProfile:
		return readings(r.Drift.Reference.SampleCount())
	case !r.HasBaseline() || r.Baseline == nil:
		return 0
	}

	length := time.Duration(r.Baseline.Period.Or(0))
	if n := r.Baseline.Samples; n > 0 || length == 0 && r.Baseline.Periods == 0 {
		if n == 0 {
			n = policy.DefaultBaselineSamples
		}
		length = max(length, readings(n))
	}
	step := max(r.PeriodLength(), time.Duration(r.Baseline.Season.Or(0)))
	return max(length, time.Duration(r.Baseline.Periods)*step)
}

// run makes all trials.
func (t *trials) run(ctx context.Context) (record Record, err error) {
	record.FalseAlarms, err = t.falseAlarms(ctx)
	if err != nil {
		return record, err
	}
	record.Changes, err = t.changes(ctx)
	return record, err
}

func (t *trials) falseAlarms(ctx context.Context) (certificate.Rate, error) {
	counts := make([]float64, t.options.Samples)
	err := each(ctx, t.options.Samples, func(i int) {
		counts[i] = t.alarms(t.random(0, i))
		t.done()
	})
	if err != nil {
		return certificate.Rate{}, err
	}
	return rateOf(counts, t.pool.length, t.options.Per), nil
}

func (t *trials) changes(ctx context.Context) ([]Found, error) {
	all := []Found{}
	for number, change := range t.options.Changes {
		shift, err := t.pool.shiftOf(change)
		if err != nil {
			return nil, err
		}

		delays := make([]float64, t.options.Samples)
		err = each(ctx, t.options.Samples, func(i int) {
			delays[i] = t.delay(t.random(1+number, i), &shift)
			t.done()
		})
		if err != nil {
			return nil, err
		}
		all = append(all, foundOf(change.Text, delays))
	}

	return all, nil
}

func (t *trials) done() {
	if t.options.Progress != nil {
		t.options.Progress(1)
	}
}

// random are the numbers of one resample, whoever makes it.
func (t *trials) random(part, sample int) *rand.Rand {
	return rand.New(rand.NewPCG(t.options.Seed, uint64(part)<<32|uint64(sample))) //nolint:gosec // both count from 0
}

// alarms counts the alarms of a resample.
func (t *trials) alarms(random *rand.Rand) (count float64) {
	counted := t.pool.begins.Add(t.warmUp)
	simulator := t.simulator(func(at time.Time) {
		if !at.Before(counted) {
			count++
		}
	})
	event := metric.Event{}
	digest := metric.Digest{}
	t.pool.walk(random, t.warmUp+t.pool.length, t.telling, func(reading *placed, at time.Duration) bool {
		if reading.digest != nil {
			simulator.ObserveDigest(t.takeDigest(&digest, reading, at), t.pool.begins.Add(at))
			return true
		}
		t.take(&event, reading, at)
		simulator.Observe(&event, time.Time{})
		return true
	})

	result := simulator.Finish()
	t.mutex.Lock()
	defer t.mutex.Unlock()

	for _, account := range result.Rules {
		t.judged[account.Name] += account.Judged
	}
	return count
}

// delay is how many seconds after a change an alarm comes; infinite where none comes
// within Horizon. The change comes at any time of a season, so that it lies anywhere
// in a period, and in a cooldown or not, as it happens.
func (t *trials) delay(random *rand.Rand, change *shift) float64 {
	phase := time.Duration(random.Float64() * float64(max(t.pool.season, t.pool.granule)))
	before := t.warmUp + 2*t.pool.block/t.pool.season*t.pool.season + phase
	comes := t.pool.begins.Add(before)
	found := math.Inf(1)
	simulator := t.simulator(func(at time.Time) {
		if !at.Before(comes) && math.IsInf(found, 1) {
			found = at.Sub(comes).Seconds()
		}
	})

	event := metric.Event{}
	metrics := map[string]float64{}
	t.pool.walk(random, before+Horizon, t.pool.readings, func(reading *placed, at time.Duration) bool {
		t.take(&event, reading, at)
		if since := at - before; since >= 0 {
			if event.Metrics != nil {
				clear(metrics)
				for name, value := range event.Metrics {
					metrics[name] = value
				}
				event.Metrics = metrics
			}
			change.apply(&event, since, random)
		}
		simulator.Observe(&event, time.Time{})
		return math.IsInf(found, 1)
	})
	if found > Horizon.Seconds() {
		return math.Inf(1)
	}
	return found
}

// take makes a resampled event.
func (t *trials) take(event *metric.Event, reading *placed, at time.Duration) {
	*event = *reading.event
	event.Timestamp = t.pool.begins.Add(at)
	event.ModelVersion = resampledVersion
}

// simulator is one that tells of its alarms.
func (t *trials) simulator(alarm func(at time.Time)) *backtest.Simulator {
	return backtest.NewSimulator(t.pool.modelName, t.policy, backtest.Options{
		Training: backtest.TrainingAccepted, Bounds: &t.bounds,
		OnDecision: func(d *monitor.Decision) {
			if d.Kind == policy.Triggered {
				alarm(d.At)
			}
		},
	})
}

// unjudged are the rules that have never judged anything.
func (t *trials) unjudged() (names []string) {
	for i := range t.policy.Rules {
		if r := &t.policy.Rules[i]; t.judged[r.Name] == 0 {
			names = append(names, r.Name)
		}
	}
	return names
}

// rateOf makes a rate of the alarms of resamples, each of a length.
func rateOf(counts []float64, length, per time.Duration) certificate.Rate {
	slices.Sort(counts)
	pers := float64(length) / float64(per)
	r := certificate.Rate{Mean: mean(counts) / pers, Low: quantile(counts, 0.025) / pers, High: quantile(counts, 0.975) / pers}
	const ruleOfThree = 3 // of so many that are expected, one recording in 20 shows none
	if mean(counts) < 1 {
		r.High = max(r.High, ruleOfThree/pers)
	}
	return r
}

// foundOf sums delays up.
func foundOf(change string, delays []float64) Found {
	f := Found{Change: change}
	slices.Sort(delays)
	n := 0
	for n < len(delays) && !math.IsInf(delays[n], 1) {
		n++
	}
	f.Found = float64(n) / float64(len(delays))
	f.Mean = mean(append(delays[:n:n], slices.Repeat([]float64{Horizon.Seconds()}, len(delays)-n)...))
	if n > 0 {
		p50, p95 := quantile(delays[:n], 0.50), quantile(delays[:n], 0.95)
		f.DelayP50 = &p50
		f.DelayP95 = &p95
	}

	return f
}

// quantile is by nearest rank, of sorted values.
func quantile(sorted []float64, q float64) float64 {
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// looks is how often a policy can raise an alarm at most: at each look of its rules
// that its cooldown allows.
func looks(wanted policy.Policy) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for i := range wanted.Rules {
		shortest = min(shortest, wanted.Rules[i].PeriodLength())
	}
	cooldown := time.Duration(wanted.Cooldown.Value())
	if shortest <= 0 || shortest == math.MaxInt64 {
		return max(cooldown, time.Second)
	}
	return max((cooldown+shortest-1)/shortest*shortest, shortest)
}

// evenly is what alarms at an even distance come to, of which no look decides: 0
// means none. A change comes anywhere between two.
func evenly(distance time.Duration, options *Options) Record {
	record := Record{Changes: []Found{}}
	if distance > 0 {
		rate := float64(options.Per) / float64(distance)
		record.FalseAlarms = certificate.Rate{Mean: rate, Low: rate, High: rate}
	}
	for _, change := range options.Changes {
		found := Found{Change: change.Text}
		if distance > 0 {
			found.Found = min(1, float64(Horizon)/float64(distance))
			within := min(distance, Horizon).Seconds()
			p50, p95 := 0.50*within, 0.95*within
			found.DelayP50 = &p50
			found.DelayP95 = &p95
		}
		record.Changes = append(record.Changes, found)
	}

	return record
}
