package backtest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func event(at time.Time, accuracy, latency float64) metric.Event {
	return metric.Event{
		Timestamp: at, ModelName: "fraud", ModelVersion: "v1",
		Accuracy: metric.Some(accuracy), LatencyMS: metric.Some(latency),
	}
}

// replay runs one policy over events that are in order.
func replay(t require.TestingT, policy policy.Policy, options backtest.Options, events ...metric.Event) backtest.Result {
	recorded := recording.Of(events...)
	results, err := backtest.Run(context.Background(), recorded, []backtest.Policy{{Label: "p", Policy: policy}}, options)
	require.NoError(t, err)
	require.Len(t, results, 1)
	return results[0]
}

// at is an instant so many minutes after noon.
func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

// happened are a result's decisions as `minute kind rule`.
func happened(r backtest.Result) (all []string) {
	for _, d := range r.Decisions {
		text := fmt.Sprintf("%g %s", d.At.Sub(noon).Minutes(), d.Kind)
		if d.SuppressedBy != "" {
			text += fmt.Sprintf(" by %s x%d", d.SuppressedBy, d.Count)
		}
		all = append(all, text)
	}
	return all
}

func TestWhatAPolicyWouldHaveDone(t *testing.T) {
	bad := func(minute float64) metric.Event { return event(at(minute), 0.5, 100) }
	good := func(minute float64) metric.Event { return event(at(minute), 0.95, 100) }
	periods := policy.Policy{Rules: []policy.Rule{{
		Name: "mean", Metric: "accuracy", Stat: policy.StatMean, Period: metric.Some(policy.Duration(10 * time.Minute)),
		Grace: metric.Some(policy.Duration(time.Minute)), Below: metric.Some(0.9),
	}}}
	for name, c := range map[string]struct {
		policy  policy.Policy
		options backtest.Options
		events  []metric.Event
		want    []string
	}{
		"a breach triggers, and succeeds at once": {events: []metric.Event{good(0), bad(1)}, want: []string{"1 triggered", "1 succeeded"}},
		"in the cooldown it is suppressed, at its end it triggers": {
			events: []metric.Event{bad(0), bad(59), bad(60)},
			want:   []string{"0 triggered", "0 succeeded", "59 suppressed by cooldown x1", "60 triggered", "60 succeeded"},
		},
		"in a blackout it is suppressed, and triggers at its end if it still breaches": {
			policy: policy.Policy{Blackout: []calendar.Blackout{{From: "00:00", To: at(10).Format("15:04")}}},
			events: []metric.Event{bad(0), bad(5), good(20)},
			want:   []string{"0 suppressed by blackout x1", "5 suppressed by blackout x1", "10 triggered", "10 succeeded"},
		},
		"a schedule triggers when it is due, between two events": {
			policy: policy.Policy{Cooldown: metric.Some(policy.Duration(0)), Rules: []policy.Rule{{Name: "hourly", Schedule: "30 13,14 * * *", Zone: "UTC"}}},
			events: []metric.Event{good(0), good(100), good(200)},
			want:   []string{"90 triggered", "90 succeeded", "150 triggered", "150 succeeded"},
		},
		"a training ends after its time, between two events": {
			options: backtest.Options{TrainingTime: 30 * time.Minute}, events: []metric.Event{bad(0), good(45)},
			want: []string{"0 triggered", "30 succeeded"},
		},
		"one that the recording ends before stays in flight": {
			options: backtest.Options{TrainingTime: 30 * time.Minute}, events: []metric.Event{bad(0), good(10)},
			want: []string{"0 triggered"},
		},
		"an outcome comes before an event of the same instant": {
			policy:  policy.Policy{}.WithCooldown(0),
			options: backtest.Options{TrainingTime: 30 * time.Minute}, events: []metric.Event{bad(0), bad(10), bad(30)},
			want: []string{"0 triggered", "10 suppressed by in_flight x1", "30 succeeded", "30 triggered"},
		},
		"a training can fail":           {options: backtest.Options{Training: backtest.TrainingFails}, events: []metric.Event{bad(0)}, want: []string{"0 triggered", "0 failed"}},
		"a backend may not be followed": {options: backtest.Options{Training: backtest.TrainingAccepted}, events: []metric.Event{bad(0)}, want: []string{"0 triggered", "0 accepted"}},
		"a training longer than the policy's timeout times out": {
			policy:  policy.Policy{Retraining: policy.Retraining{Timeout: metric.Some(policy.Duration(20 * time.Minute))}},
			options: backtest.Options{TrainingTime: 30 * time.Minute}, events: []metric.Event{bad(0), good(90)},
			want: []string{"0 triggered", "20 timed_out"},
		},
		"one exactly as long is in time": {
			policy:  policy.Policy{Retraining: policy.Retraining{Timeout: metric.Some(policy.Duration(20 * time.Minute))}},
			options: backtest.Options{TrainingTime: 20 * time.Minute}, events: []metric.Event{bad(0), good(90)},
			want: []string{"0 triggered", "20 succeeded"},
		},
		"failures in a row open the circuit": {
			policy:  policy.Policy{MaxFailures: 2}.WithCooldown(time.Minute),
			options: backtest.Options{Training: backtest.TrainingFails}, events: []metric.Event{bad(0), bad(1), bad(2)},
			want: []string{"0 triggered", "0 failed", "1 triggered", "1 failed", "1 circuit_opened", "2 suppressed by paused x1"},
		},
		"the clock is that of arrival": {
			options: backtest.Options{ArrivalDelay: 24 * time.Hour}, events: []metric.Event{bad(0)},
			want: []string{"1440 triggered", "1440 succeeded"},
		},
		"a period is judged after its grace, between two events": {
			policy: periods, events: []metric.Event{bad(1), bad(5), good(30)}, want: []string{"11 triggered", "11 succeeded"},
		},
		"the last period is judged after the last event": {policy: periods, events: []metric.Event{bad(1)}, want: []string{"11 triggered", "11 succeeded"}},
		"nobody answers a question": {
			policy: policy.Policy{Approval: &policy.Approval{Required: true, Timeout: metric.Some(policy.Duration(time.Hour))}},
			events: []metric.Event{bad(0), good(100)}, want: []string{"0 awaiting_approval", "60 approval_rejected"},
		},
		"a policy can take no answer for a yes": {
			policy: policy.Policy{Approval: &policy.Approval{
				Required: true, Timeout: metric.Some(policy.Duration(time.Hour)), OnTimeout: policy.ApproveOnTimeout,
			}},
			events: []metric.Event{bad(0), good(100)}, want: []string{"0 awaiting_approval", "60 approved", "60 triggered", "60 succeeded"},
		},
		"silence is noticed between two events": {
			policy: policy.Policy{Rules: []policy.Rule{{Name: "silent", SilentFor: metric.Some(policy.Duration(20 * time.Minute))}}},
			events: []metric.Event{good(0), good(70)}, want: []string{"20 triggered", "20 succeeded"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, happened(replay(t, c.policy, c.options, c.events...)))
		})
	}
}

// The default policy's rules fit into a loop of a few lines; the machine must agree.
func TestAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cooldown := time.Duration(rapid.IntRange(0, 90).Draw(t, "cooldown")) * time.Minute
		training := time.Duration(rapid.IntRange(0, 90).Draw(t, "training")) * time.Minute
		var events []metric.Event
		stamp := noon
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			stamp = stamp.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "gap")) * time.Minute)
			events = append(events, event(stamp, rapid.SampledFrom([]float64{0.8, 0.9, 0.95}).Draw(t, "accuracy"),
				rapid.SampledFrom([]float64{150, 200, 250}).Draw(t, "latency")))
		}

		var triggers []time.Time
		var byCooldown, byFlight, landed int64
		for _, e := range events {
			if accuracy, latency := e.Accuracy.Or(1), e.LatencyMS.Or(0); accuracy >= 0.9 && latency <= 200 {
				continue
			}
			n := len(triggers)
			switch {
			case n > 0 && e.Timestamp.Sub(triggers[n-1]) < cooldown:
				byCooldown++
			case n > 0 && e.Timestamp.Sub(triggers[n-1]) < training:
				byFlight++
			default:
				triggers = append(triggers, e.Timestamp)
			}
		}
		for _, trigger := range triggers {
			if !trigger.Add(training).After(stamp) {
				landed++
			}
		}

		r := replay(t, policy.Policy{}.WithCooldown(cooldown), backtest.Options{TrainingTime: training}, events...)
		var triggered []time.Time
		for _, d := range r.Decisions {
			if d.Kind == policy.Triggered {
				triggered = append(triggered, d.At)
			}
		}
		assert.Equal(t, triggers, triggered)
		assert.Equal(t, byCooldown, r.Suppressed[journal.ByCooldown])
		assert.Equal(t, byFlight, r.Suppressed[journal.ByFlight])
		assert.Equal(t, int64(len(triggers))+byCooldown+byFlight, r.Breaches)
		assert.EqualValues(t, len(triggers), r.Retrainings.Requested)
		assert.Equal(t, landed, r.Retrainings.Succeeded)
		assert.EqualValues(t, len(events), r.Events)
	})
}

func TestTimeInBreach(t *testing.T) {
	ten := metric.Some(policy.Duration(10 * time.Minute))
	mean := policy.Rule{Name: "mean", Metric: "accuracy", Stat: policy.StatMean, Period: ten, Grace: metric.Some(policy.Duration(0)), Below: metric.Some(0.9)}
	only := func(rules ...policy.Rule) policy.Policy { return policy.Policy{Rules: rules} }
	bad := func(minute float64) metric.Event { return event(at(minute), 0.5, 100) }
	good := func(minute float64) metric.Event { return event(at(minute), 0.95, 100) }
	slow := func(minute, latency float64) metric.Event {
		return metric.Event{Timestamp: at(minute), ModelName: "fraud", LatencyMS: metric.Some(latency)}
	}
	for name, c := range map[string]struct {
		policy policy.Policy
		events []metric.Event
		want   time.Duration
	}{
		"none without a breach":                         {events: []metric.Event{good(0), good(9)}},
		"until the next healthy event":                  {events: []metric.Event{good(0), bad(2), bad(4), good(7), good(9)}, want: 5 * time.Minute},
		"spans add up":                                  {events: []metric.Event{bad(0), good(1), bad(5), good(7)}, want: 3 * time.Minute},
		"an event that doesn't measure it ends nothing": {events: []metric.Event{bad(0), slow(3, 100), good(5)}, want: 5 * time.Minute},
		"another rule's breach goes on":                 {events: []metric.Event{bad(0), slow(3, 900), slow(5, 100)}, want: 5 * time.Minute},
		"the last ends with the recording":              {events: []metric.Event{bad(0), bad(4)}, want: 4 * time.Minute},
		"a period, from its decision":                   {policy: only(mean), events: []metric.Event{bad(1), good(11), good(40)}, want: 10 * time.Minute},
		"periods in a row make one span":                {policy: only(mean), events: []metric.Event{bad(1), bad(11), good(21), good(40)}, want: 20 * time.Minute},
		"a warning is none": {
			policy: only(policy.Rule{Name: "w", Metric: "accuracy", Below: metric.Some(0.9), Severity: policy.Warning}, policy.Above("latency_ms", 1e6)),
			events: []metric.Event{bad(0), good(5)},
		},
		"silence, until an event": {
			policy: only(policy.Rule{Name: "silent", SilentFor: ten}), events: []metric.Event{good(0), good(25)}, want: 15 * time.Minute,
		},
		"a model's age, until it is retrained": {
			policy: only(policy.Rule{Name: "old", MaxAge: ten}), events: []metric.Event{good(0), good(25)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, policy.Duration(c.want), replay(t, c.policy, backtest.Options{}, c.events...).TimeInBreach)
		})
	}
}

func TestAPolicyIsForItsModelOrForAll(t *testing.T) {
	other := event(noon, 0.5, 100)
	other.ModelName = "spam"
	recorded := recording.Of(event(noon, 0.5, 100), other)
	recorded.Model("fraud").Rejected = 3
	results, err := backtest.Run(t.Context(), recorded, []backtest.Policy{
		{Label: "all"}, {Label: "one", ModelName: "spam"}, {Label: "none", ModelName: "absent"},
	}, backtest.Options{})
	require.NoError(t, err)
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s %d %d %d", r.Policy, r.ModelName, r.Events, r.Rejected, r.Retrainings.Succeeded))
	}
	assert.Equal(t, []string{"all fraud 1 3 1", "all spam 1 0 1", "one spam 1 0 1", "none absent 0 0 0"}, got)

	_, err = backtest.Run(t.Context(), &recording.Recording{}, []backtest.Policy{{}}, backtest.Options{})
	assert.ErrorIs(t, err, backtest.ErrNoEvents)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = backtest.Run(ctx, recorded, []backtest.Policy{{}}, backtest.Options{})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWarningsAreCounted(t *testing.T) {
	policy := policy.Policy{}.With(policy.Rule{Name: "slow", Metric: "latency_ms", Above: metric.Some(150.0), Severity: policy.Warning})
	r := replay(t, policy, backtest.Options{}, event(at(0), 0.95, 160), event(at(1), 0.95, 160), event(at(2), 0.95, 100))
	assert.EqualValues(t, []int64{2, 0, 0}, []int64{r.Warnings, r.Breaches, r.Retrainings.Requested})
}

func TestNoDecisionIsEverDropped(t *testing.T) {
	var events []metric.Event
	for i := range 500 {
		events = append(events, event(at(float64(i)), 0.5, 100))
	}
	r := replay(t, policy.Policy{}.WithCooldown(0), backtest.Options{}, events...)
	assert.Len(t, r.Decisions, 1000)
}

func TestDetection(t *testing.T) {
	bad := func(minute float64) metric.Event { return event(at(minute), 0.5, 100) }
	options := backtest.Options{Drifts: []backtest.Drift{{At: at(10)}, {At: at(20)}, {At: at(30)}}}
	d := replay(t, policy.Policy{}.WithCooldown(0), options, bad(5), bad(10), bad(12), bad(34), bad(39)).Detection
	assert.Equal(t, []backtest.DriftPoint{
		{At: at(10), DetectedAt: at(10), Rule: "accuracy"},
		{At: at(20)},
		{At: at(30), DetectedAt: at(34), Delay: policy.Duration(4 * time.Minute), Rule: "accuracy"},
	}, d.Points)
	assert.Equal(t, backtest.Detection{
		Points: d.Points, MeanDelay: policy.Duration(2 * time.Minute), Detected: 2, Missed: 1, FalseAlarms: 1, Repeated: 2,
	}, *d)
	approval := policy.Policy{Approval: &policy.Approval{Required: true, Timeout: metric.Some(policy.Duration(time.Minute)), OnTimeout: policy.ApproveOnTimeout}}
	d = replay(t, approval, options, bad(12), bad(19)).Detection
	assert.Equal(t, at(12), d.Points[0].DetectedAt, "the question is the alarm")
	assert.Zero(t, d.Repeated, "what is approved is no second one")
	d = replay(t, policy.Policy{DryRun: true}, options, bad(12)).Detection
	assert.Equal(t, at(12), d.Points[0].DetectedAt, "a dry run alarms, too")
}

func TestASimulatorAllocatesNothingForAHealthyEvent(t *testing.T) {
	simulator := backtest.NewSimulator("fraud", policy.Policy{}, backtest.Options{})
	e := event(noon, 0.95, 100)
	simulator.Observe(&e, time.Time{})
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		e.Timestamp = e.Timestamp.Add(time.Second)
		simulator.Observe(&e, time.Time{})
	}))
}

// BenchmarkBacktest replays in memory; ns/op is for one event.
func BenchmarkBacktest(b *testing.B) {
	mean := policy.Rule{Name: "mean", Metric: "accuracy", Stat: policy.StatMean, Period: metric.Some(policy.Duration(time.Hour)), Below: metric.Some(0.9)}
	for name, c := range map[string]struct {
		policy policy.Policy
		worst  float64 // accuracy of one event in a hundred
	}{
		"three rules, healthy":              {worst: 0.95},
		"three rules, 1 in 100 breaches":    {worst: 0.5},
		"three rules and one with a period": {policy: policy.Policy{}.With(mean), worst: 0.95},
	} {
		b.Run(name, func(b *testing.B) {
			events := make([]metric.Event, 100_000)
			for i := range events {
				events[i] = metric.Event{
					Timestamp: noon.Add(time.Duration(i) * time.Second), ModelName: "fraud", ModelVersion: "v1",
					Accuracy: metric.Some(0.95), LatencyMS: metric.Some(100.0), DriftScore: metric.Some(0.05),
				}
				if i%100 == 99 {
					events[i].Accuracy = metric.Some(c.worst)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				simulator := backtest.NewSimulator("fraud", c.policy, backtest.Options{})
				for i := range events[:min(len(events), b.N-done)] {
					simulator.Observe(&events[i], time.Time{})
					done++
				}
				simulator.Finish()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}

// A mean over periods fits into a few lines, too.
func TestPeriodsAgainstBruteForce(t *testing.T) {
	const period, grace = 10 * time.Minute, time.Minute
	wanted := policy.Policy{Rules: []policy.Rule{{
		Name: "mean", Metric: "accuracy", Stat: policy.StatMean, Below: metric.Some(0.9),
		Period: metric.Some(policy.Duration(period)), Grace: metric.Some(policy.Duration(grace)),
	}}}.WithCooldown(0)
	rapid.Check(t, func(t *rapid.T) {
		var events []metric.Event
		stamp := noon
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			stamp = stamp.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "gap")) * time.Second)
			events = append(events, event(stamp, rapid.SampledFrom([]float64{0.8, 0.85, 0.95, 1}).Draw(t, "accuracy"), 100))
		}
		var want []time.Time
		for i := 0; i < len(events); {
			end, sum, n := events[i].Timestamp.Truncate(period).Add(period), 0.0, 0
			for ; i < len(events) && events[i].Timestamp.Before(end); i++ {
				sum, n = sum+events[i].Accuracy.Or(0), n+1
			}
			if sum/float64(n) < 0.9 {
				want = append(want, end.Add(grace))
			}
		}
		var got []time.Time
		for _, d := range replay(t, wanted, backtest.Options{}, events...).Decisions {
			if d.Kind == policy.Triggered {
				got = append(got, d.At)
			}
		}
		assert.Equal(t, want, got)
	})
}
