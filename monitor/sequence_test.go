package monitor_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
)

// trial puts the same random inputs into the machine, into one that is cut at
// random points as by continue-as-new, and into the reference.
type trial struct {
	*rapid.T
	now              time.Time
	whole, cutUp     *monitor.Machine
	wholeLog, cutLog []string
	reference        *reference
	batches          map[string]*monitor.Batch // the last of each publisher
	numbers          map[string]int64
	automatic        []time.Time // triggers since the cooldown last changed
}

func TestAnySequenceOfInputsIsDecidedAsTheReferenceDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &trial{
			T: t, now: noon, whole: newMachine(monitor.Policy{}), cutUp: newMachine(monitor.Policy{}),
			batches: map[string]*monitor.Batch{}, numbers: map[string]int64{},
			reference: &reference{
				minAccuracy: 0.9, maxLatency: 200, maxDrift: 0.1, cooldown: time.Hour, timeout: 24 * time.Hour,
				ends: map[int]string{}, ofVersion: map[int]bool{}, numbers: map[string]int64{}, words: map[string]time.Time{}, suppressed: map[string]int64{},
			},
		}
		listen(x.whole, hear(&x.wholeLog))
		listen(x.cutUp, hear(&x.cutLog))
		actions := map[string]func(*rapid.T){
			"an event": x.event, "a batch": x.batch, "another batch": x.batch, "a batch again": x.redeliver, "a stray": x.stray,
			"an answer": x.answer, "a refusal": x.refusal, "an outcome": x.outcome, "a tick": x.tick,
			"pause": x.pause, "resume": x.resume, "retrain": x.retrain, "policy": x.policy, "stop": x.stop,
			"": x.check,
		}
		t.Repeat(actions)
		require.Equal(t, encode(t, x.whole.State()), encode(t, x.cutUp.State()))
	})
}

func hear(log *[]string) func(monitor.Decision) {
	return func(d monitor.Decision) {
		*log = append(*log, line(string(d.Kind), d.Rule, d.Reason, d.RequestID, d.By, string(d.SuppressedBy)))
	}
}

// wait lets time pass, and cuts one of the machines.
func (x *trial) wait(t *rapid.T) {
	x.now = x.now.Add(rapid.SampledFrom([]time.Duration{0, 1, time.Second - 1, time.Second, 9 * time.Second, time.Minute}).Draw(t, "wait"))
	if rapid.Bool().Draw(t, "cut") {
		x.cutUp = cut(t, x.cutUp)
		listen(x.cutUp, hear(&x.cutLog))
	}
}

func (x *trial) both(input func(*monitor.Machine)) {
	input(x.whole)
	input(x.cutUp)
}

func drawSample(t *rapid.T) sample {
	var s sample
	for i, reading := range []**float64{&s.accuracy, &s.latency, &s.drift} {
		if rapid.IntRange(0, 3).Draw(t, "measured") > 0 {
			value := near(t, "value", []float64{0.9, 200, 0.1}[i])
			*reading = &value
		}
	}
	return s
}

func (s sample) event(at time.Time) *monitor.MetricEvent {
	e := &monitor.MetricEvent{ModelName: "fraud", ModelVersion: "v1", Timestamp: at}
	for reading, value := range map[*monitor.Reading]*float64{&e.Accuracy: s.accuracy, &e.LatencyMS: s.latency, &e.DriftScore: s.drift} {
		if value != nil {
			*reading = monitor.Some(*value)
		}
	}
	return e
}

func (x *trial) event(t *rapid.T) {
	x.wait(t)
	s := drawSample(t)
	before := x.reference.requested
	x.reference.observe(x.now, x.now, x.now, []sample{s})
	x.both(func(m *monitor.Machine) { m.Observe(x.now, s.event(x.now.Add(-time.Minute))) })
	x.triggered(before)
}

// batch sends a publisher's next batch, whose clock may be wrong.
func (x *trial) batch(t *rapid.T) {
	x.wait(t)
	publisher := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "publisher")
	x.numbers[publisher] += rapid.Int64Range(1, 3).Draw(t, "skip")
	batch := &monitor.Batch{Version: 1, ModelName: "fraud", Publisher: publisher, Sequence: x.numbers[publisher]}
	n := rapid.IntRange(0, 3).Draw(t, "digests")
	require.True(t, x.reference.isNews(x.now, publisher, batch.Sequence, n))
	before := x.reference.requested
	for range n {
		until := x.now.Add(rapid.SampledFrom([]time.Duration{-time.Minute, -time.Second, 0, time.Second, time.Minute}).Draw(t, "clock"))
		if end := x.reference.cooldownEnd(); rapid.Bool().Draw(t, "cut at the cooldown's end") && end.Sub(x.now).Abs() < time.Minute {
			until = end
		}
		from := until.Add(-rapid.SampledFrom([]time.Duration{0, 1, time.Minute}).Draw(t, "span"))
		samples := make([]sample, rapid.IntRange(1, 4).Draw(t, "events"))
		parts := make([]*monitor.Digest, len(samples))
		for i := range samples {
			samples[i] = drawSample(t)
			parts[i] = monitor.DigestOf(samples[i].event(from), from)
		}
		digest := merged(parts)
		digest.FoldedFrom, digest.FoldedUntil = from, until
		batch.Digests = append(batch.Digests, digest)
		if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
			digest.Events = 0
			x.reference.rejected++
			continue
		}
		x.reference.digests++
		x.reference.observe(x.now, from, until, samples)
	}
	x.batches[publisher] = batch
	x.both(func(m *monitor.Machine) { m.ObserveBatch(x.now, batch) })
	x.triggered(before)
}

func (x *trial) redeliver(t *rapid.T) {
	x.wait(t)
	batch := x.batches[rapid.SampledFrom([]string{"a", "b"}).Draw(t, "publisher")]
	if batch != nil && x.now.Sub(x.reference.words[batch.Publisher]) <= 48*time.Hour { // a hub gives up long before
		require.False(t, x.reference.isNews(x.now, batch.Publisher, batch.Sequence, len(batch.Digests)))
		x.both(func(m *monitor.Machine) { m.ObserveBatch(x.now, batch) })
	}
}

func (x *trial) stray(t *rapid.T) {
	x.wait(t)
	x.reference.rejected += 2
	stray := sample{}.event(x.now)
	stray.ModelName = "another"
	x.both(func(m *monitor.Machine) {
		m.Observe(x.now, stray)
		m.Reject(x.now, monitor.SignalMetric, errors.New("not JSON"), []byte("{"))
	})
}

// anyID is a retraining's: the one in flight, an earlier one, or nobody's.
func (x *trial) anyID(t *rapid.T) int {
	if x.reference.flight != 0 && rapid.Bool().Draw(t, "of the flight") {
		return x.reference.flight
	}
	return rapid.IntRange(1, x.reference.requested+1).Draw(t, "id")
}

func (x *trial) answer(t *rapid.T) {
	x.wait(t)
	id, followed := x.anyID(t), rapid.Bool().Draw(t, "followed")
	x.reference.answered(id, followed)
	x.both(func(m *monitor.Machine) {
		m.Scheduled(x.now, requestID(id), monitor.Job{Backend: "log", ID: "job", Followed: followed})
	})
}

func (x *trial) refusal(t *rapid.T) {
	x.wait(t)
	id := x.anyID(t)
	if id == x.reference.flight {
		x.reference.end("failed", "no such pipeline")
	}
	x.both(func(m *monitor.Machine) { m.Failed(x.now, requestID(id), "no such pipeline") })
}

func (x *trial) outcome(t *rapid.T) {
	x.wait(t)
	id, state := x.anyID(t), rapid.SampledFrom([]monitor.OutcomeState{"succeeded", "failed"}).Draw(t, "state")
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		x.reference.outcome(id, string(state), "so it says")
		x.both(func(m *monitor.Machine) {
			m.Outcome(x.now, monitor.Outcome{RequestID: requestID(id), State: state, Message: "so it says", ModelVersion: "v2"})
		})
	}
}

func (x *trial) tick(t *rapid.T) {
	x.wait(t)
	if x.reference.flight != 0 && rapid.Bool().Draw(t, "at the deadline") {
		x.now = x.reference.deadline.Add(rapid.SampledFrom([]time.Duration{-1, 0, 1}).Draw(t, "edge"))
	}
	x.reference.tick(x.now)
	x.both(func(m *monitor.Machine) { m.Tick(x.now) })
}

func (x *trial) pause(t *rapid.T) {
	x.wait(t)
	if !x.reference.paused {
		x.reference.paused = true
		x.reference.write("paused", "", "audit", 0, "ada", "")
	}
	x.both(func(m *monitor.Machine) { m.PauseBy(x.now, monitor.Control{By: "ada", Reason: "audit"}) })
}

func (x *trial) resume(t *rapid.T) {
	x.wait(t)
	if x.reference.paused {
		x.reference.paused = false
		x.reference.write("resumed", "", "", 0, "bob", "")
	}
	x.both(func(m *monitor.Machine) { m.ResumeBy(x.now, monitor.Control{By: "bob"}) })
}

func (x *trial) retrain(t *rapid.T) {
	x.wait(t)
	control := monitor.Control{By: "ada", Force: rapid.Bool().Draw(t, "force")}
	if !x.reference.mayRetrain(x.now, control.Force) {
		x.both(func(m *monitor.Machine) { require.Error(t, m.CanRetrain(x.now, control)) })
		return
	}
	x.reference.trigger(x.now, "manual", "asked for by hand", "ada")
	x.automatic = []time.Time{x.now}
	x.both(func(m *monitor.Machine) {
		require.NoError(t, m.CanRetrain(x.now, control))
		require.Equal(t, requestID(x.reference.requested), m.Retrain(x.now, control))
	})
}

func (x *trial) policy(t *rapid.T) {
	x.wait(t)
	cooldown := rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second, time.Minute}).Draw(t, "cooldown")
	accuracy := rapid.SampledFrom([]float64{0.81, 0.9}).Draw(t, "accuracy")
	timeout := rapid.SampledFrom([]time.Duration{time.Second, time.Hour}).Draw(t, "timeout")
	r := x.reference
	if cooldown != r.cooldown || accuracy != r.minAccuracy || timeout != r.timeout {
		r.write("policy_changed", "", "", 0, "", "")
	}
	r.cooldown, r.minAccuracy, r.timeout = cooldown, accuracy, timeout
	policy := monitor.Policy{}.With(monitor.Below(monitor.Accuracy, accuracy)).WithCooldown(cooldown)
	policy.Retraining.Timeout = monitor.Some(monitor.Duration(timeout))
	x.both(func(m *monitor.Machine) { m.SetPolicy(x.now, policy) })
}

func (x *trial) stop(t *rapid.T) {
	if rapid.IntRange(0, 19).Draw(t, "really") > 0 {
		return // or no sequence would be long
	}
	if !x.reference.stopped {
		x.reference.stopped = true
		x.reference.write("stopped", "", "", 0, "ada", "")
	}
	x.both(func(m *monitor.Machine) { m.StopBy(x.now, monitor.Control{By: "ada"}) })
}

// triggered holds the first invariant: automatic triggers are never closer than
// the cooldown, to each other or to one by hand.
func (x *trial) triggered(before int) {
	require.LessOrEqual(x, x.reference.requested-before, 1, "one instant, one retraining")
	triggers := int(x.whole.Status(x.now).Retrainings.Requested)
	if triggers == before {
		return
	}
	if n := len(x.automatic); n > 0 {
		require.GreaterOrEqual(x, x.now.Sub(x.automatic[n-1]), x.reference.cooldown)
	}
	x.automatic = append(x.automatic, x.now)
}

func (x *trial) check(t *rapid.T) {
	r := x.reference
	for _, m := range []*monitor.Machine{x.whole, x.cutUp} {
		s := m.Status(x.now)
		require.Equal(t, r.phase(x.now), string(s.Phase))
		require.True(t, r.cooldownEnd().Equal(s.CooldownUntil))
		require.Equal(t,
			fmt.Sprint(r.events, r.digests, r.duplicates, r.gaps, r.rejected, r.breaches, r.suppressed),
			fmt.Sprint(s.Events, s.Digests, s.Duplicates, s.Gaps, s.Rejected, s.Breaches, s.Suppressed))
		require.Equal(t, monitor.RetrainingCounters{
			Requested: int64(r.requested), Accepted: int64(r.accepted), Succeeded: int64(r.succeeded), Failed: int64(r.failed),
		}, s.Retrainings)

		wants := m.Wants(x.now)
		require.Equal(t, r.stopped && r.flight == 0, wants.Done)
		require.Equal(t, r.flight != 0 && !r.scheduled, wants.Schedule != nil)
		require.Equal(t, r.flight != 0 && r.scheduled, wants.Await != nil)
		require.Equal(t, r.flight != 0, slices.ContainsFunc(wants.Wakes, func(w monitor.Wake) bool { return w.At.Equal(r.deadline) }) && r.flight != 0)
		if !r.stopped && x.now.Before(r.cooldownEnd()) {
			require.True(t, wants.Wakes[0].At.Equal(r.cooldownEnd()))
		}
	}
	require.Equal(t, r.log, x.wholeLog)
	require.Equal(t, x.wholeLog, x.cutLog)
	require.Equal(t, encode(t, x.whole.Status(x.now)), encode(t, x.cutUp.Status(x.now)))
}
