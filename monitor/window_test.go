package monitor_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// policyOf reads a policy in its wire form.
func policyOf(t require.TestingT, wire string) policy.Policy {
	policy, err := policy.Decode([]byte(wire))
	require.NoError(t, err)
	return policy
}

// tickUntil lets time pass as the workflow's timers do.
func tickUntil(m *monitor.Machine, end time.Time) {
	for {
		next, ok := m.NextWake()
		if !ok || next.After(end) {
			m.Tick(end)
			return
		}
		m.Tick(next)
		land(m, next)
	}
}

// reading is an event of one metric.
func reading(at time.Time, version, name string, value float64) *metric.Event {
	e := &metric.Event{Timestamp: at, ModelName: "fraud", ModelVersion: version}
	switch name {
	case metric.Accuracy:
		e.Accuracy = metric.Some(value)
	case metric.LatencyMS:
		e.LatencyMS = metric.Some(value)
	default:
		e.Metrics = map[string]float64{name: value}
	}
	return e
}

func kindsOf(decisions []monitor.Decision, kinds ...policy.Kind) (found []monitor.Decision) {
	for _, d := range decisions {
		if slices.Contains(kinds, d.Kind) {
			found = append(found, d)
		}
	}
	return found
}

// statistic is what a period's readings come to, counted one by one.
func statistic(stat policy.Stat, values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch stat {
	case policy.StatCount:
		return float64(len(values))
	case policy.StatSum:
		return sum
	case policy.StatMin:
		return slices.Min(values)
	case policy.StatMax:
		return slices.Max(values)
	}
	return sum / float64(len(values))
}

// Every datapoint, and M of N over them, against a brute force over single events.
func TestPeriodsAreJudgedAsABruteForceOverSingleEventsDoes(t *testing.T) {
	const period, grace = 10 * time.Second, time.Second
	rapid.Check(t, func(t *rapid.T) {
		stat := rapid.SampledFrom([]policy.Stat{"min", "max", "mean", "sum", "count"}).Draw(t, "stat")
		knowsNoMissing := stat == policy.StatSum || stat == policy.StatCount
		n := rapid.IntRange(1, 4).Draw(t, "of")
		rule := policy.Rule{
			Name: "r", Metric: "m", Stat: stat, Period: metric.Some(policy.Duration(period)), Grace: metric.Some(policy.Duration(grace)),
			Datapoints: &policy.Datapoints{Breaching: rapid.IntRange(1, n).Draw(t, "breaching"), Of: n},
		}
		threshold := float64(rapid.IntRange(0, 6).Draw(t, "threshold"))
		falls := rapid.Bool().Draw(t, "below")
		if falls {
			rule.Below = metric.Some(threshold)
		} else {
			rule.Above = metric.Some(threshold)
		}
		if !knowsNoMissing {
			rule.Missing = rapid.SampledFrom([]policy.Missing{"", "ignore", "breaching", "ok"}).Draw(t, "missing")
			rule.MinSamples = int64(rapid.IntRange(0, 2).Draw(t, "min samples"))
		}
		wanted := policy.Policy{Rules: []policy.Rule{rule}}.WithCooldown(0)
		require.NoError(t, wanted.Validate())

		m := newMachine(wanted)
		var triggers []time.Time
		hear := func(d monitor.Decision) {
			if d.Kind == policy.Triggered {
				triggers = append(triggers, d.At)
			}
		}
		listen(m, hear)
		periods := map[int][]float64{}
		now := noon
		var began time.Time // when the version was first heard
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 3, 9, 10, 35}).Draw(t, "wait")) * time.Second)
			tickUntil(m, now)
			if rapid.Bool().Draw(t, "cut") {
				m = cut(t, m)
				listen(m, hear)
			}
			value := float64(rapid.IntRange(0, 4).Draw(t, "value"))
			m.Observe(now, reading(now, "v1", "m", value))
			m.Tick(now)
			if began.IsZero() {
				began = now
			}
			k := int(now.Sub(noon) / period)
			periods[k] = append(periods[k], value)
		}
		last := int(now.Sub(noon) / period)
		end := noon.Add(time.Duration(last+1)*period + grace)
		tickUntil(m, end)

		var expected []time.Time
		type outcome struct{ measured, unknown, breach bool }
		var judged []outcome
		first := slices.Min(slices.Collect(maps.Keys(periods)))
		for k := first; k <= last; k++ {
			values := periods[k]
			o := outcome{measured: knowsNoMissing || len(values) >= max(1, int(rule.MinSamples))}
			// A version that began within a period has a count and a sum of a part of it only.
			o.unknown = knowsNoMissing && began.After(noon.Add(time.Duration(k)*period))
			switch {
			case o.unknown:
			case o.measured:
				s := statistic(stat, values)
				o.breach = falls && s < threshold || !falls && s > threshold
			default:
				o.breach = rule.Missing == policy.MissingBreaching
			}
			judged = append(judged, o)
			breaching, looked := 0, 0
			ignores := rule.Missing == "" || rule.Missing == policy.MissingIgnored
			for back := 0; back < len(judged) && looked < n && back < 3*n; back++ {
				p := judged[len(judged)-1-back]
				if p.unknown || !p.measured && ignores {
					continue
				}
				looked++
				if p.breach {
					breaching++
				}
			}
			if o.breach && breaching >= rule.Datapoints.Breaching {
				expected = append(expected, noon.Add(time.Duration(k+1)*period+grace))
			}
		}
		require.Equal(t, expected, triggers)
	})
}

func TestPercentilesAreWithinASketchsOnePerCent(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "slow", "metric": "latency_ms", "stat": "p99", "period": "1m", "above": 1}], "cooldown": "0s"}`))
	var values []float64
	for i := range 1000 {
		value := math.Exp(float64(i%97) / 20)
		values = append(values, value)
		at := noon.Add(time.Duration(i) * 50 * time.Millisecond)
		m.Observe(at, reading(at, "v1", metric.LatencyMS, value))
	}
	slices.Sort(values)
	exact := values[989] // the nearest rank of 1,000
	tickUntil(m, noon.Add(2*time.Minute))
	triggered := kindsOf(m.Status(noon).Decisions, policy.Triggered)
	require.Len(t, triggered, 1)
	assert.InEpsilon(t, exact, triggered[0].Value.Or(0), 0.011)
	assert.Contains(t, triggered[0].Reason, "latency p99 ")
	assert.Contains(t, triggered[0].Reason, "ms above threshold 1.00ms over 1m")
}

func TestADatapointIsJudgedWhenItsGraceIsOver(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9}]}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.8))
	next, ok := m.NextWake()
	require.True(t, ok)
	assert.Equal(t, noon.Add(time.Hour+30*time.Second), next, "the default grace is 30 s or a tenth of the period, the smaller")
	m.Tick(next.Add(-1))
	assert.Empty(t, m.Status(noon).Decisions)
	late := noon.Add(time.Hour + 10*time.Second)
	m.Observe(late, reading(noon.Add(59*time.Minute), "v1", metric.Accuracy, 0.9)) // within the grace
	m.Tick(next)
	decisions := m.Status(next).Decisions
	require.Len(t, decisions, 1)
	assert.Equal(t, "accuracy mean 0.8500 below threshold 0.9000 over 1h", decisions[0].Reason)
	assert.Equal(t, next, decisions[0].At)

	m.Observe(next.Add(time.Minute), reading(noon.Add(30*time.Minute), "v1", metric.Accuracy, 0.1))
	rules := m.Status(next).Versions["v1"].Rules
	assert.EqualValues(t, 1, rules[0].Late, "what comes later is counted and named")
	assert.Equal(t, noon.Add(30*time.Minute), rules[0].LateAt)
}

func TestLabelsThatComeADayLateAreJudgedByTheirArrival(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9, "time": "arrival"}]}`))
	m.Observe(noon, reading(noon.Add(-24*time.Hour), "v1", metric.Accuracy, 0.8))
	tickUntil(m, noon.Add(2*time.Hour))
	assert.Len(t, kindsOf(m.Status(noon).Decisions, policy.Triggered), 1)
	assert.Zero(t, m.Status(noon).Versions["v1"].Rules[0].Late)
}

func TestADigestThatCrossesABoundaryIsApproximate(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9}]}`))
	at := noon.Add(time.Hour + time.Minute)
	digest := metrictest.DigestOf(reading(noon.Add(59*time.Minute), "v1", metric.Accuracy, 0.8), noon.Add(59*time.Minute))
	digest.Merge(metrictest.DigestOf(reading(at, "v1", metric.Accuracy, 0.8), at))
	m.ObserveBatch(at, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: 1, Digests: []*metric.Digest{digest}})
	tickUntil(m, noon.Add(3*time.Hour))
	points := m.Status(noon).Versions["v1"].Rules[0].Datapoints
	require.Len(t, points, 1)
	assert.Equal(t, noon.Add(time.Hour), points[0].Start)
	assert.True(t, points[0].Approximate)
}

func TestAStatusCountsTheDatapointsThatItDoesNotShow(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9, "datapoints": {"breaching": 38, "of": 40}}]}`))
	for hour := range 45 {
		accuracy := 0.8
		if hour%10 == 9 {
			accuracy = 0.95
		}
		at := noon.Add(time.Duration(hour)*time.Hour + time.Minute)
		tickUntil(m, at)
		m.Observe(at, reading(at, "v1", metric.Accuracy, accuracy))
	}

	tickUntil(m, noon.Add(45*time.Hour+time.Minute))
	rule := m.Status(noon).Versions["v1"].Rules[0]
	assert.Len(t, rule.Datapoints, 30)
	assert.Equal(t, []int{36, 40}, []int{rule.Breaches, rule.Of})
}

func TestAfterAnOutageOnOurSideAGapIsUnknown(t *testing.T) {
	for name, stat := range map[string]string{
		"missing counts as breaching": `"stat": "mean", "missing": "breaching", "below": 0.9`,
		"silence is a count of 0":     `"stat": "count", "below": 1`,
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"rules": [{"name": "r", "metric": "accuracy", "period": "1m", `+stat+`}], "cooldown": "0s"}`))
			m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
			m.Tick(noon)
			back := noon.Add(24 * time.Hour)
			m.Tick(back)
			assert.Empty(t, m.Status(back).Decisions)
			tickUntil(m, back.Add(5*time.Minute))
			assert.NotEmpty(t, kindsOf(m.Status(back).Decisions, policy.Triggered), "silence since then is silence")
		})
	}
}

func TestSilenceOfAVersionThatAnotherHasReplacedIsNoBreach(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "r", "metric": "accuracy", "period": "1m", "stat": "count", "below": 1}], "cooldown": "0s"}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
	for i := range 10 {
		at := noon.Add(time.Duration(i)*30*time.Second + 2*time.Second)
		tickUntil(m, at)
		m.Observe(at, reading(at, "v2", metric.Accuracy, 0.95))
	}
	assert.Empty(t, m.Status(noon).Decisions)
}

func TestABreachingRuleStaysSoUntilItClears(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "slow", "metric": "latency_ms", "stat": "max", "above": 250, "clear_above": 200, "period": "1m"}], "cooldown": "0s"}`))
	verdicts := []monitor.Verdict{}
	for i, latency := range []float64{100, 260, 240, 250, 200, 240, 251} {
		at := noon.Add(time.Duration(i) * time.Minute)
		m.Observe(at, reading(at, "v1", metric.LatencyMS, latency))
		tickUntil(m, at.Add(66*time.Second))
		verdicts = append(verdicts, m.Status(at.Add(66 * time.Second)).Versions["v1"].Rules[0].Verdict)
	}
	assert.Equal(t, []monitor.Verdict{"healthy", "breaching", "breaching", "breaching", "healthy", "healthy", "breaching"}, verdicts)
	assert.Len(t, kindsOf(m.Status(noon).Decisions, policy.Triggered), 2, "only what is beyond the threshold itself triggers")
}

func TestAReplacedPolicyKeepsTheWindowsOfRulesThatMeasureTheSame(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [
		{"name": "slow", "metric": "latency_ms", "stat": "max", "above": 250, "period": "1m"},
		{"name": "decay", "metric": "accuracy", "stat": "mean", "below": 0.9, "period": "1m"}]}`))
	at := noon
	for range 3 {
		m.Observe(at, reading(at, "v1", metric.LatencyMS, 100))
		m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
		at = at.Add(time.Minute)
		tickUntil(m, at.Add(6*time.Second))
	}
	m.SetPolicy(at, policyOf(t, `{"rules": [
		{"name": "decay", "metric": "accuracy", "stat": "min", "below": 0.9, "period": "1m"},
		{"name": "slow", "metric": "latency_ms", "stat": "max", "above": 90, "period": "1m"}]}`))
	status := m.Status(at)
	assert.Equal(t, "dropped what was measured for decay", status.Decisions[0].Reason)
	assert.Empty(t, status.Versions["v1"].Rules[0].Datapoints)
	assert.Len(t, status.Versions["v1"].Rules[1].Datapoints, 3)
}

func TestAnEventAfterAQuietTimeIsNoOutage(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "r", "metric": "accuracy", "period": "1m", "stat": "count", "below": 3}], "cooldown": "0s"}`))
	at := noon.Add(3 * time.Hour)
	m.Tick(noon)
	m.Observe(at, reading(at, "v1", metric.Accuracy, 0.95))
	tickUntil(m, at.Add(2*time.Minute))
	require.NotEmpty(t, m.Status(at).Decisions)
	assert.Equal(t, "accuracy count 1.0000 below threshold 3.0000 over 1m", m.Status(at).Decisions[0].Reason)
}

// Whether an event is late is a matter of its time, not of whether anything woke the
// monitor since its period was over.
func TestALateEventIsLateHoweverLongNobodyWasWoken(t *testing.T) {
	for name, wakes := range map[string][]time.Duration{"nobody is woken": nil, "woken for nothing": {time.Hour, 2 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1m", "below": 0.9}]}`))
			m.Tick(noon)
			for _, wake := range wakes {
				m.Tick(noon.Add(wake))
			}
			at := noon.Add(3 * time.Hour)
			m.Observe(at, reading(at.Add(-90*time.Minute), "v1", metric.Accuracy, 0.5))
			tickUntil(m, at.Add(time.Hour))
			assert.Empty(t, m.Status(at).Decisions)
			assert.EqualValues(t, 1, m.Status(at).Versions["v1"].Rules[0].Late)
		})
	}
}

func TestWhatCameWhileNobodyWasThereIsJudgedInItsPeriod(t *testing.T) {
	m := newMachine(policyOf(t, `{"rules": [{"name": "decay", "metric": "accuracy", "stat": "mean", "period": "1h", "below": 0.9}], "cooldown": "0s"}`))
	m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.95))
	m.Tick(noon)
	back := noon.Add(10 * time.Hour)
	for hour := range 10 {
		m.Observe(back, reading(noon.Add(time.Duration(hour)*time.Hour+time.Minute), "v1", metric.Accuracy, 0.95))
	}
	m.Tick(back)
	rule := m.Status(back).Versions["v1"].Rules[0]
	assert.Zero(t, rule.Late)
	assert.Equal(t, noon.Add(8*time.Hour), rule.Datapoints[len(rule.Datapoints)-1].Start)
}

func TestSilenceThatIsFineStaysHealthyForAsLongAsItLasts(t *testing.T) {
	m := newMachine(policyOf(t, `{"cooldown": "0s", "rules": [
		{"name": "errors", "metric": "errors", "stat": "mean", "above": 5, "period": "1m", "missing": "ok", "condition": true},
		{"name": "no errors", "not": "errors", "condition": true},
		{"name": "low", "metric": "accuracy", "stat": "mean", "below": 0.9, "period": "1m", "condition": true},
		{"name": "low without errors", "all_of": ["low", "no errors"]}]}`))
	m.Observe(noon, reading(noon, "v1", "errors", 1))
	tickUntil(m, noon.Add(10*time.Hour))
	at := noon.Add(10*time.Hour + time.Second)
	m.Observe(at, reading(at, "v1", metric.Accuracy, 0.5))
	tickUntil(m, at.Add(2*time.Minute))
	assert.Equal(t, monitor.Healthy, m.Status(at).Versions["v1"].Rules[0].Verdict)
	require.NotEmpty(t, kindsOf(m.Status(at).Decisions, policy.Triggered), "it is known to be without errors")
}

// A rule that nothing turns around is not woken for silence that changes nothing.
func TestNobodyIsWokenForSilenceThatChangesNothing(t *testing.T) {
	const rule = `{"name": "errors", "metric": "errors", "stat": "mean", "above": 5, "period": "1s", "missing": "ok", "datapoints": {"breaching": 1, "of": 3}}`
	m := newMachine(policyOf(t, `{"rules": [`+rule+`]}`))
	m.Observe(noon, reading(noon, "v1", "errors", 1))
	tickUntil(m, noon.Add(time.Hour))
	_, ok := m.NextWake()
	assert.False(t, ok)

	at := noon.Add(72 * time.Hour)
	m.Tick(at)
	m.Observe(at, reading(at, "v1", "errors", 9))
	tickUntil(m, at.Add(2*time.Second))
	triggered := kindsOf(m.Status(at).Decisions, policy.Triggered)
	require.Len(t, triggered, 1)
	assert.Equal(t, "errors mean 9.0000 above threshold 5.0000, 1 of 3 periods of 1s", triggered[0].Reason, "the silence before counts as it would have if it had been judged")
}
