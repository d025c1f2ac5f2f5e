package hub

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// bystander is a monitor that is told of every event as it is, beside one that is told
// by hubs: what both judge of each period is kept, by version and the period's start.
type bystander struct {
	machine *monitor.Machine
	judged  map[string]monitor.Judgement
}

func newBystander(p policy.Policy) *bystander {
	b := &bystander{machine: monitor.NewMachine("fraud", "model-monitor/fraud/run", p), judged: map[string]monitor.Judgement{}}
	b.machine.OnJudged = func(j *monitor.Judgement) {
		if !j.Start.IsZero() {
			judged := *j
			judged.Compared = nil // moments of what is learnt are rounded as it came
			b.judged[fmt.Sprintf("%d of %s at %s", j.Rule, j.ModelVersion, j.Start.Format(time.TimeOnly))] = judged
		}
	}
	return b
}

// publisher folds as a hub does, and cuts when it is told to.
type publisher struct {
	name     string
	fold     *fold
	sequence int64
	learns   bool // it hears of guidance
}

func newTestPublisher(name string, now time.Time, learns bool) *publisher {
	p := &publisher{name: name, fold: newFold(newHub(newFakeCarrier(), quiet).own, now), learns: learns}
	return p
}

// ask lets the publisher have the monitor's guidance, across the wire.
func (p *publisher) ask(t require.TestingT, m *monitor.Machine, now time.Time) {
	encoded, err := json.Marshal(m.Guidance(now))
	require.NoError(t, err)
	var guidance contract.Guidance
	require.NoError(t, json.Unmarshal(encoded, &guidance))
	p.fold.setPeriods(newPeriods(guidance))
	if p.learns {
		p.fold.setWanted(newWanted(&guidance))
	}
}

// send hands over what was folded, across the wire.
func (p *publisher) send(t require.TestingT, m *monitor.Machine, now time.Time) {
	digests := p.fold.cut(now, false, func(time.Time) time.Time { return now })
	if len(digests) == 0 {
		return
	}
	p.sequence++
	encoded, err := json.Marshal(&metric.Batch{Version: metric.BatchVersion, ModelName: "fraud", Publisher: p.name, Sequence: p.sequence, Digests: digestsIn(digests)})
	require.NoError(t, err)
	m.TakeBatch(now, encoded)
}

// trainingData is a profile whose edges lie between the boundaries of a sketch.
func trainingData() *drift.Profile {
	profile := drift.Profile{Metrics: map[string]*drift.ProfiledMetric{"age": {Std: 1}}}
	for i := range drift.MaxEdges {
		profile.Metrics["age"].Edges = append(profile.Metrics["age"].Edges, -1.5+0.1*float64(i))
	}
	for i := range drift.MaxEdges + 1 {
		profile.Metrics["age"].Counts = append(profile.Metrics["age"].Counts, int64(100+i))
	}
	return &profile
}

const firstSamples = 40

func policyAgainst(from policy.ReferenceFrom, statistic drift.Statistic) policy.Policy {
	reference := policy.Reference{From: from}
	switch from {
	case policy.ReferenceTrailing:
		reference.Periods = 2
	case policy.ReferenceProfile:
		reference.Profile = "p.json"
	default:
		reference.Samples = firstSamples
	}
	p := policy.Policy{Rules: []policy.Rule{{
		Name: "age", Metric: "age", Period: metric.Some(policy.Duration(time.Hour)), Grace: metric.Some(policy.Duration(10 * time.Minute)), Above: metric.Some(0.2),
		Drift: &policy.Drift{Statistic: statistic, Reference: reference},
	}}}
	if from == policy.ReferenceProfile {
		p.Profiles = map[string]*drift.Profile{"p.json": trainingData()}
	}
	return p.WithDefaults()
}

// otherPolicy has another statistic, or no drift rule any more, or has one again.
func otherPolicy(t *rapid.T, p policy.Policy, from policy.ReferenceFrom) policy.Policy {
	highest := p.Rules[len(p.Rules)-1:]
	if p.Rules[0].Drift == nil {
		p = policyAgainst(from, drift.TVD)
		p.Rules = append(p.Rules, highest...)
		return p.WithDefaults()
	}
	if rapid.Bool().Draw(t, "no drift rule any more") {
		p.Rules = slices.Clone(highest)
		return p
	}

	p.Rules = slices.Clone(p.Rules)
	other := drift.KS
	if p.Rules[0].Drift.Statistic == other {
		other = drift.TVD
	}
	p.Rules[0].Drift = &policy.Drift{Statistic: other, Reference: p.Rules[0].Drift.Reference}
	return p
}

// What hubs count, each in bins or by a sketch, is what the events themselves make, but
// where a sketch says no better: then the verdict is the same or unknown.
func TestWhatHubsCountIsWhatTheEventsMake(t *testing.T) {
	exact, approximate, unknown := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom([]policy.ReferenceFrom{policy.ReferenceFirst, policy.ReferencePrevious, policy.ReferenceTrailing, policy.ReferenceProfile}).Draw(t, "from")
		statistic := rapid.SampledFrom([]drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD}).Draw(t, "statistic")
		isContinuous := rapid.Bool().Draw(t, "continuous")
		p := policyAgainst(from, statistic)
		highest := over("highest", time.Hour, "")
		highest.Metric, highest.Stat, highest.Grace = "age", "max", p.Rules[0].Grace
		if rapid.Bool().Draw(t, "a percentile") { // wants a sketch beside bins
			percentile := highest
			percentile.Name, percentile.Stat = "p95", "p95"
			p.Rules = append(p.Rules, percentile)
		}
		p.Rules = append(p.Rules, highest)
		p = p.WithDefaults()
		told, direct := newBystander(p), newBystander(p)
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		publishers := []*publisher{newTestPublisher("a", now, true), newTestPublisher("b", now, rapid.Bool().Draw(t, "the second one learns"))}
		for _, p := range publishers {
			p.ask(t, told.machine, now)
		}
		deliver := func() {
			for _, p := range publishers {
				p.send(t, told.machine, now)
			}
		}

		version, ofVersion := "v1", 0
		for hour := range rapid.IntRange(3, 7).Draw(t, "hours") {
			now = time.Date(2026, 3, 1, hour, 10, 0, 0, time.UTC) // the last period is judged
			told.machine.Tick(now)
			direct.machine.Tick(now)
			if hour == 3 && rapid.Bool().Draw(t, "another version") {
				version = "v2"
				ofVersion = 0
			}
			if rapid.IntRange(0, 5).Draw(t, "another policy") == 0 {
				p = otherPolicy(t, p, from)
				told.machine.SetPolicy(now, p)
				direct.machine.SetPolicy(now, p)
				ofVersion = 0
				if p.Rules[0].Drift != nil { // else they hear of it while they fold
					for _, p := range publishers {
						p.ask(t, told.machine, now)
					}
				}
			}
			for range rapid.IntRange(10, 60).Draw(t, "events") {
				now = now.Add(time.Second * time.Duration(rapid.IntRange(1, 20).Draw(t, "pause")))
				event := metric.Event{Timestamp: now, ModelName: "fraud", ModelVersion: version, Metrics: map[string]float64{}}
				switch {
				case isContinuous:
					// A sketch tells all of these apart; those that it merges near zero have other edges.
					event.Metrics["age"] = rapid.Float64Range(0.01, 3).Draw(t, "age")
				default:
					event.Metrics["age"] = float64(rapid.IntRange(-5, 5).Draw(t, "age")) / 2
				}
				if hour > 3 {
					event.Metrics["age"] += 0.3
				}
				require.NoError(t, event.Validate(now))
				direct.machine.Observe(now, &event)
				_, err := rapid.SampledFrom(publishers).Draw(t, "publisher").fold.add(&event, func() time.Time { return now })
				require.NoError(t, err)
				ofVersion++
				if ofVersion == firstSamples || rapid.IntRange(0, 15).Draw(t, "send") == 0 { // a reference is full of whole digests
					deliver()
				}
				if rapid.IntRange(0, 15).Draw(t, "ask") == 0 {
					rapid.SampledFrom(publishers).Draw(t, "who asks").ask(t, told.machine, now)
				}
			}
			now = time.Date(2026, 3, 1, hour+1, 1, 0, 0, time.UTC)
			deliver()
		}
		now = now.Add(time.Hour)
		told.machine.Tick(now)
		direct.machine.Tick(now)

		require.Zero(t, told.machine.Status(now).Rejected)
		require.Len(t, told.judged, len(direct.judged))
		for name, want := range direct.judged {
			got := told.judged[name]
			switch {
			case !got.Approximate:
				exact++
				require.Equal(t, want, got, name)
			case got.Unknown:
				unknown++
			default:
				approximate++
				require.Equal(t, want.Breach, got.Breach, name)
			}
			if publishers[1].learns && from == policy.ReferenceProfile {
				require.False(t, got.Approximate, "both know the edges of training data from the beginning")
			}
		}
	})
	t.Logf("%d exact, %d approximate, %d unknown", exact, approximate, unknown)
	assert.Positive(t, exact)
	assert.Positive(t, approximate)
}

func TestOfBinsThatAreKnownNoSketchIsSent(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", policyAgainst(policy.ReferenceProfile, drift.KS))
	p := newTestPublisher("a", now, true)
	digest := func() *metric.Summary {
		for i := range 3 {
			_, err := p.fold.add(&metric.Event{Timestamp: now, ModelName: "fraud", Metrics: map[string]float64{"age": float64(i)}}, func() time.Time { return now })
			require.NoError(t, err)
		}
		return p.fold.cut(now, false, func(time.Time) time.Time { return now })[0].Metrics["age"]
	}

	before := digest()
	p.ask(t, m, now)
	after := digest()

	assert.NotNil(t, before.Sketch)
	assert.Empty(t, before.Bins)
	assert.Nil(t, after.Sketch)
	require.Len(t, after.Bins, 1)
	assert.EqualValues(t, 3, after.Bins[0].Counts.Total())
}

// Digests of before and after the edges became known stay apart, where merging them
// would leave neither a sketch nor bins of all readings.
func TestWhatIsCountedByASketchStaysApartFromWhatIsCountedInBins(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := monitor.NewMachine("fraud", "model-monitor/fraud/run", policyAgainst(policy.ReferenceProfile, drift.KS))
	f := newTestPublisher("a", now, true)
	add := func(shard int) {
		s := &f.fold.shards[shard]
		s.mu.Lock()
		defer s.mu.Unlock()
		a, err := f.fold.openIn(s, "v1", false, now.Unix(), now)
		require.NoError(t, err)
		for i := range 3 {
			_, err := a.add(&metric.Event{ModelName: "fraud", Metrics: map[string]float64{"age": float64(i)}}, now)
			require.NoError(t, err)
		}
	}
	f.fold.shards = make([]shard, 2)

	f.fold.setPeriods(newPeriods(m.Guidance(now)))
	add(0)
	f.ask(t, m, now)
	add(1)

	digests := f.fold.cut(now, false, func(time.Time) time.Time { return now })
	require.Len(t, digests, 2)
	kinds := []bool{digests[0].Metrics["age"].Sketch != nil, digests[1].Metrics["age"].Sketch != nil}
	slices.SortFunc(kinds, func(a, _ bool) int { return map[bool]int{true: 1, false: -1}[a] })
	assert.Equal(t, []bool{false, true}, kinds)
}

func TestADigestOfFortyFeaturesIsSmall(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)
	const features, readings = 40, 10_000
	guidance := contract.Guidance{Rules: []policy.Rule{{Metrics: []string{"feature.*"}, Drift: &policy.Drift{}}}}
	metrics := map[string]contract.MetricBins{}
	random := rand.New(rand.NewPCG(1, 2))
	for f := range features {
		spread := drift.Spread{}
		for range readings {
			spread.Add(random.NormFloat64(), 256)
		}
		metrics[fmt.Sprintf("feature.%d", f)] = contract.MetricBins{Grids: []drift.Grid{spread.Freeze(0).Grid()}}
	}
	guidance.Bins = []contract.Bins{{Others: true, Metrics: metrics}}
	p := newTestPublisher("4TGZKJ3MZ5Q6XV2L7R8N9PYWHC", now, true)
	p.fold.setWanted(newWanted(&guidance))
	for range readings {
		event := metric.Event{Timestamp: now, ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{}}
		for f := range features {
			event.Metrics[fmt.Sprintf("feature.%d", f)] = random.NormFloat64()
		}
		_, err := p.fold.add(&event, func() time.Time { return now })
		require.NoError(t, err)
	}

	encoded, err := json.Marshal(&metric.Batch{
		Version: metric.BatchVersion, ModelName: "fraud", Publisher: p.name, Sequence: 12,
		Digests: digestsIn(p.fold.cut(now, false, func(time.Time) time.Time { return now.Add(time.Minute) })),
	})

	require.NoError(t, err)
	t.Logf("%d bytes", len(encoded))
	assert.LessOrEqual(t, len(encoded), 6<<10)
	received, err := metric.DecodeBatch(encoded)
	require.NoError(t, err)
	assert.Len(t, received.Digests[0].Metrics["feature.7"].Bins[0].Counts, drift.MaxEdges+1)
	assert.False(t, math.IsNaN(received.Digests[0].Metrics["feature.7"].Sum))
}

func TestCountingInBinsAllocatesNothing(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	guidance := tenFeatures(true)
	p := newTestPublisher("a", now, true)
	p.fold.shards = p.fold.shards[:1]
	p.fold.setWanted(newWanted(&guidance))
	event := metric.Event{Timestamp: now, ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{}}
	for f := range 10 {
		event.Metrics[fmt.Sprintf("feature.%d", f)] = float64(f)
	}

	assert.Zero(t, testing.AllocsPerRun(100, func() {
		assert.True(t, event.Passes(now.Add(time.Minute)))
		_, err := p.fold.add(&event, func() time.Time { return now })
		assert.NoError(t, err)
	}))
}

// What a monitor wants is known a moment after a model's first event, and its next report
// is a minute away: until then nothing would be folded as it is wanted.
func TestWhatNobodyWantsIsLetGoOfAsSoonAsThatIsKnown(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := newTestPublisher("a", now, true)
	add := func(value float64) {
		_, err := p.fold.add(&metric.Event{
			Timestamp: now, ModelName: "fraud", Accuracy: metric.Some(value), LatencyMS: metric.Some(value), Metrics: map[string]float64{"age": value},
		}, func() time.Time { return now })
		require.NoError(t, err)
	}
	percentile := over("slow", time.Hour, "")
	percentile.Metric, percentile.Stat = metric.LatencyMS, "p99"

	for value := range 3 {
		add(float64(value))
	}
	before := p.fold.account.BacklogBytes()
	p.fold.setWanted(newWanted(&contract.Guidance{Rules: []policy.Rule{policy.Above("age", 100), percentile}}))
	after := p.fold.account.BacklogBytes()
	add(-1)
	digests := p.fold.cut(now, false, func(time.Time) time.Time { return now })

	assert.Less(t, after, before)
	require.Len(t, digests, 1)
	plain, wanted, judged := digests[0].Metrics[metric.Accuracy], digests[0].Metrics[metric.LatencyMS], digests[0].Metrics["age"]
	assert.Equal(t, metric.Summary{Count: 4, Sum: 2, Min: -1, Max: 2}, *plain)
	require.NotNil(t, wanted.Sketch)
	assert.Nil(t, judged.Sketch)
	assert.Equal(t, now, judged.MinAt)
	assert.Zero(t, p.fold.account.BacklogBytes())
}
