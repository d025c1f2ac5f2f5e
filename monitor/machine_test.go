package monitor_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newMachine(policy policy.Policy) *monitor.Machine {
	return monitor.NewMachine("fraud", "model-monitor/fraud/run", policy)
}

func event(at time.Time, accuracy, latency, drift float64) *metric.Event {
	return &metric.Event{
		Timestamp: at, ModelName: "fraud", ModelVersion: "v1",
		Accuracy: metric.Some(accuracy), LatencyMS: metric.Some(latency), DriftScore: metric.Some(drift),
	}
}

// land ends the flight as a backend that can't be followed does.
func land(m *monitor.Machine, now time.Time) {
	if flight := m.Wants(now).Schedule; flight != nil {
		m.TakeJob(now, flight.RequestID, modelops.Job{Backend: "log"})
	}
}

func TestReasonsArePrecedentAndStrict(t *testing.T) {
	for name, c := range map[string]struct {
		policy                   policy.Policy
		accuracy, latency, drift float64
		reason                   string // empty: healthy
	}{
		"accuracy below":                      {policy.Policy{}.With(policy.Below("accuracy", 0.95)), 0.8, 100, 0, "accuracy 0.8000 below threshold 0.9500"},
		"latency above":                       {policy.Policy{}, 0.95, 250, 0, "latency 250.00ms above threshold 200.00ms"},
		"drift above":                         {policy.Policy{}, 0.95, 100, 0.2, "drift 0.2000 above threshold 0.1000"},
		"accuracy comes before latency":       {policy.Policy{}, 0.8, 250, 0.2, "accuracy 0.8000 below threshold 0.9000"},
		"latency comes before drift":          {policy.Policy{}, 0.95, 250, 0.2, "latency 250.00ms above threshold 200.00ms"},
		"at their thresholds all are healthy": {policy.Policy{}, 0.9, 200, 0.1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(c.policy)
			m.Observe(noon, event(noon, c.accuracy, c.latency, c.drift))
			status := m.Status(noon)
			if c.reason == "" {
				assert.Zero(t, status.Breaches)
				return
			}
			require.Len(t, status.Decisions, 1)
			assert.Equal(t, policy.Triggered, status.Decisions[0].Kind)
			assert.Equal(t, c.reason, status.Decisions[0].Reason)
		})
	}
}

func TestAReadingThatWasNotTakenIsNotJudged(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, &metric.Event{ModelName: "fraud"})
	status := m.Status(noon)
	assert.EqualValues(t, 1, status.Events)
	assert.Zero(t, status.Breaches)
	assert.Empty(t, status.Versions[""].Metrics)
}

func TestFurtherMetricsAreJudgedByName(t *testing.T) {
	m := newMachine(policy.Policy{Rules: []policy.Rule{policy.Below("auc", 0.75)}})
	m.Observe(noon, &metric.Event{ModelName: "fraud", Metrics: map[string]float64{"auc": 0.71}})
	assert.Equal(t, "auc 0.7100 below threshold 0.7500", m.Status(noon).Decisions[0].Reason)
}

func TestTheCooldownsEdges(t *testing.T) {
	for name, c := range map[string]struct {
		after    time.Duration
		triggers int64
	}{
		"a breach at once is skipped":                              {0, 1},
		"a breach one nanosecond before the end is skipped":        {time.Hour - 1, 1},
		"a breach at exactly the cooldown's end triggers":          {time.Hour, 2},
		"a breach one nanosecond after the cooldown's end does so": {time.Hour + 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policy.Policy{})
			m.Observe(noon, event(noon, 0.8, 100, 0))
			land(m, noon)
			now := noon.Add(c.after)
			m.Observe(now, event(now, 0.8, 100, 0))
			status := m.Status(now)
			assert.Equal(t, c.triggers, status.Retrainings.Requested)
			assert.Equal(t, 2-c.triggers, status.Suppressed[journal.ByCooldown])
		})
	}
}

func TestWhatWasFoldedBeforeTheCooldownsEndIsInCooldown(t *testing.T) {
	end := noon.Add(time.Hour)
	for name, c := range map[string]struct {
		from, until time.Time
		triggers    int64
	}{
		"folded well before it":            {end.Add(-time.Minute), end.Add(-time.Second), 1},
		"cut at its very end":              {end.Add(-time.Minute), end, 1},
		"begun at its end":                 {end, end.Add(time.Second), 2},
		"across its end, so it is in time": {end.Add(-time.Second), end.Add(time.Second), 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policy.Policy{})
			m.Observe(noon, event(noon, 0.8, 100, 0))
			land(m, noon)
			digest := metrictest.DigestOf(event(end, 0.8, 100, 0), end)
			digest.FoldedFrom, digest.FoldedUntil = c.from, c.until
			m.ObserveBatch(end.Add(time.Minute), &metric.Batch{
				Version: 1, ModelName: "fraud", Publisher: "p", Sequence: 1, Digests: []*metric.Digest{digest},
			})
			assert.Equal(t, c.triggers, m.Status(end).Retrainings.Requested)
		})
	}
}

func TestANewPolicysCooldownCountsFromTheLastTrigger(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	land(m, noon)
	m.SetPolicy(noon.Add(time.Minute), policy.Policy{}.WithCooldown(10*time.Minute))
	assert.Equal(t, noon.Add(10*time.Minute), m.CooldownUntil())
	assert.Equal(t, contract.PhaseCoolingDown, m.Phase(noon.Add(10*time.Minute-1)))
	assert.Equal(t, contract.PhaseWatching, m.Phase(noon.Add(10*time.Minute)))
}

func TestAFailingBackendBurnsTheCooldownButAnOperatorCanForce(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	m.TakeRefusal(noon, m.Wants(noon).Schedule.RequestID, "no such pipeline")
	later := noon.Add(time.Minute)
	m.Observe(later, event(later, 0.8, 100, 0))
	assert.EqualValues(t, 1, m.Status(later).Retrainings.Requested)
	require.ErrorContains(t, m.CanRetrain(later, monitor.Control{}), "in cooldown until 2026-03-01T13:00:00Z")
	require.NoError(t, m.CanRetrain(later, monitor.Control{Force: true}))
	id := m.Retrain(later, monitor.Control{By: "ada", Force: true})
	assert.Equal(t, "model-monitor/fraud/run/2", id)
	require.ErrorContains(t, m.CanRetrain(later, monitor.Control{Force: true}), "in flight")
	assert.Equal(t, later.Add(time.Hour), m.CooldownUntil(), "a forced one restarts it")
}

func TestARetrainingTimesOutAtItsDeadline(t *testing.T) {
	m := newMachine(policy.Policy{Retraining: policy.Retraining{Timeout: metric.Some(policy.Duration(time.Minute))}})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	m.Tick(noon.Add(time.Minute - 1))
	require.NotNil(t, m.Status(noon).Current)
	m.Tick(noon.Add(time.Minute))
	status := m.Status(noon.Add(time.Minute))
	assert.Nil(t, status.Current)
	assert.Equal(t, policy.TimedOut, status.Decisions[1].Kind)
	assert.Equal(t, "no outcome within 1m", status.Decisions[1].Reason)
	assert.EqualValues(t, 1, status.Retrainings.Failed)
}

func TestOutcomesAreMatched(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	id := m.Wants(noon).Schedule.RequestID
	told := modelops.Outcome{RequestID: id, State: modelops.Succeeded, ModelVersion: "v2"}
	m.Outcome(noon, told) // before the schedule call has returned
	m.TakeJob(noon, id, modelops.Job{Backend: "log"})
	m.Outcome(noon, told) // told twice
	status := m.Status(noon)
	assert.Equal(t, monitor.RetrainingCounters{Requested: 1, Succeeded: 1}, status.Retrainings)
	assert.Zero(t, status.Rejected)

	told.State = modelops.Failed
	m.Outcome(noon, told)
	m.Outcome(noon, modelops.Outcome{RequestID: "another's", State: modelops.Failed})
	status = m.Status(noon)
	assert.EqualValues(t, 2, status.Rejected)
	assert.Contains(t, status.Rejections[0].Reason, "recorded as succeeded already")
	assert.Contains(t, status.Rejections[1].Reason, "none of the last")
}

func TestAnOutcomeMayFollowAcceptance(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	id := m.Wants(noon).Schedule.RequestID
	m.TakeJob(noon, id, modelops.Job{Backend: "log"})
	m.Outcome(noon, modelops.Outcome{RequestID: id, State: modelops.Failed, Message: "out of memory"})
	assert.Equal(t, monitor.RetrainingCounters{Requested: 1, Accepted: 1, Failed: 1}, m.Status(noon).Retrainings)
}

func TestARedeliveredBatchIsCountedOnce(t *testing.T) {
	m := newMachine(policy.Policy{})
	batch := &metric.Batch{
		Version: 1, ModelName: "fraud", Publisher: "p", Sequence: 7,
		Digests: []*metric.Digest{metrictest.DigestOf(event(noon, 0.8, 100, 0), noon)},
	}
	m.ObserveBatch(noon, batch)
	m.ObserveBatch(noon, batch)
	batch.Sequence = 6
	m.ObserveBatch(noon, batch)
	batch.Sequence = 9
	m.ObserveBatch(noon, batch)
	status := m.Status(noon)
	assert.EqualValues(t, 2, status.Events)
	assert.EqualValues(t, 2, status.Duplicates)
	assert.EqualValues(t, 1, status.Gaps)
}

func TestAnotherModelsObservationIsRejected(t *testing.T) {
	m := newMachine(policy.Policy{})
	stray := event(noon, 0.8, 100, 0)
	stray.ModelName = "other"
	m.Observe(noon, stray)
	m.ObserveBatch(noon, &metric.Batch{Version: 1, ModelName: "other", Publisher: "p", Sequence: 1})
	status := m.Status(noon)
	assert.EqualValues(t, 2, status.Rejected)
	assert.Contains(t, status.Rejections[0].Reason, `this is the monitor of "fraud", got "other"`)
}

func TestASenselessDigestIsRejectedAndItsNeighboursCount(t *testing.T) {
	broken := metrictest.DigestOf(event(noon, 0.8, 100, 0), noon)
	broken.Metrics["accuracy"].Min = math.NaN()
	late := metrictest.DigestOf(event(noon.Add(time.Hour), 0.95, 100, 0), noon)
	m := newMachine(policy.Policy{})
	m.ObserveBatch(noon, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: 1, Digests: []*metric.Digest{
		broken, late, metrictest.DigestOf(event(noon, 0.95, 100, 0), noon),
	}})
	status := m.Status(noon)
	assert.EqualValues(t, 2, status.Rejected)
	assert.EqualValues(t, 1, status.Events)
	assert.Contains(t, status.Rejections[0].Reason, "metrics.accuracy: min: must be a finite number")
	assert.Contains(t, status.Rejections[1].Reason, "ahead of the clock")
}

func TestPausedAndStoppingMonitorsCountButDoNotTrigger(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.PauseBy(noon, monitor.Control{By: "ada", Reason: "audit"})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	assert.Equal(t, contract.PhasePaused, m.Phase(noon))
	m.ResumeBy(noon, monitor.Control{By: "ada"})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	m.StopBy(noon, monitor.Control{By: "ada"})
	m.Observe(noon, event(noon, 0.8, 100, 0))
	assert.False(t, m.Wants(noon).Done, "its retraining is in flight")
	m.TakeJob(noon, m.Wants(noon).Schedule.RequestID, modelops.Job{Backend: "log"})
	assert.True(t, m.Wants(noon).Done)
	status := m.Status(noon)
	assert.Equal(t, map[monitor.Suppression]int64{journal.ByPause: 1, journal.ByStopping: 1}, status.Suppressed)
	require.Error(t, m.CanRetrain(noon, monitor.Control{Force: true}))
}

func TestAStormOfSuppressedBreachesLeavesTheLogReadable(t *testing.T) {
	m := newMachine(policy.Policy{})
	for i := range 1000 {
		now := noon.Add(time.Duration(i) * time.Second)
		m.Observe(now, event(now, 0.8, 100, 0))
		land(m, now)
	}
	decisions := m.Status(noon).Decisions
	require.Len(t, decisions, 4) // triggered, accepted, and the streak's first and last
	assert.EqualValues(t, 1, decisions[2].Count)
	assert.Equal(t, noon.Add(time.Second), decisions[2].At)
	assert.EqualValues(t, 998, decisions[3].Count)
	assert.Equal(t, noon.Add(999*time.Second), decisions[3].At)
}

func TestTheSameUpdateIDGetsTheSameAnswer(t *testing.T) {
	m := newMachine(policy.Policy{})
	for i := range 150 {
		m.Remember(time.Time{}, fmt.Sprint(i), monitor.UpdateResult{Phase: contract.PhaseWatching, RequestID: fmt.Sprint(i)})
	}
	_, handled := m.Recall("49")
	assert.False(t, handled, "the last hundred are kept")
	result, handled := m.Recall("50")
	assert.True(t, handled)
	assert.Equal(t, "50", result.RequestID)
}

func TestAStateOfANewerVersionIsRefused(t *testing.T) {
	state := newMachine(policy.Policy{}).State()
	state.Version = monitor.StateVersion + 1
	encoded, err := json.Marshal(state)
	require.NoError(t, err)
	_, err = monitor.DecodeState(encoded)
	require.ErrorContains(t, err, "run the newer worker")
}

func TestPublishersThatReportAtTheSameTimeAreCountedInBetweenToo(t *testing.T) {
	m := newMachine(policy.Policy{})
	report := func(at time.Time, publisher string, sequence int64) {
		m.ObserveBatch(at, &metric.Batch{
			Version: 1, ModelName: "fraud", Publisher: publisher, Sequence: sequence,
			Digests: []*metric.Digest{metrictest.DigestOf(event(at, 0.95, 100, 0), at)},
		})
	}
	for i := range 100 {
		report(noon, fmt.Sprint("p", i), 1)
	}
	between := noon.Add(contract.HealthyPace(policy.DefaultReportEvery, 100) - time.Second)
	report(between, "p0", 2)
	require.Equal(t, 100, m.Guidance(between).Publishers)

	later := noon.Add(2*contract.HealthyPace(policy.DefaultReportEvery, 100) + time.Second)
	report(later, "p0", 3)
	require.Equal(t, 1, m.Guidance(later).Publishers, "those that fell silent don't slow the rest down")
}

// listen lets hear have every decision of a machine, in words.
func listen(m *monitor.Machine, hear func(monitor.Decision)) {
	m.OnDecision = hear
	m.OnRepeat = func(policy.Kind, monitor.Suppression) { hear(m.Repeated()) }
}
