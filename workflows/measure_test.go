package workflows_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

func TestAMonitorCountsWhatItDoes(t *testing.T) {
	m, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l := newMeasuredLife(t, "fraud", m.Temporal)
	l.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).
		Return(modelops.Job{Backend: "webhook", ID: "job", Followed: true}, nil)
	l.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).After(time.Minute).
		Return(modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"}, nil)
	l.publish(0, 0.8)
	l.publish(time.Second, 0.8)
	digest := func(sequence int64, folded time.Duration) *metric.Batch {
		d := metrictest.DigestOf(&metric.Event{ModelVersion: "v1", Accuracy: metric.Some(0.95)}, noon.Add(folded))
		return &metric.Batch{Version: metric.BatchVersion, ModelName: "fraud", Publisher: "hub", Sequence: sequence, Digests: []*metric.Digest{d}}
	}
	l.after(10*time.Second, func() {
		l.SignalWorkflow(contract.SignalMetricDigest, digest(1, 7*time.Second))
		l.SignalWorkflow(contract.SignalMetricDigest, digest(1, 7*time.Second))
		l.SignalWorkflow(contract.SignalMetricDigest, digest(3, time.Minute)) // a clock ahead
		l.SignalWorkflow("anything that anyone thinks of", nil)
	})
	l.live(2 * time.Hour)

	require.NoError(t, testutil.GatherAndCompare(m.Registry, strings.NewReader(`
		# HELP modelvigil_decisions_total Decisions of monitors, by kind.
		# TYPE modelvigil_decisions_total counter
		modelvigil_decisions_total{kind="stopped"} 1
		modelvigil_decisions_total{kind="succeeded"} 1
		modelvigil_decisions_total{kind="suppressed"} 1
		modelvigil_decisions_total{kind="triggered"} 1
		# HELP modelvigil_events_total Events that monitors have counted, folded or not.
		# TYPE modelvigil_events_total counter
		modelvigil_events_total 4
		# HELP modelvigil_digests_duplicate_total Digests that were redelivered, and not counted again.
		# TYPE modelvigil_digests_duplicate_total counter
		modelvigil_digests_duplicate_total 1
		# HELP modelvigil_batches_missing_total Batches that a publisher numbered and that never came.
		# TYPE modelvigil_batches_missing_total counter
		modelvigil_batches_missing_total 1
		# HELP modelvigil_rejections_total Inputs that monitors could not read or that made no sense, by the signal they came by.
		# TYPE modelvigil_rejections_total counter
		modelvigil_rejections_total{source="other"} 1
		# HELP modelvigil_breaches_suppressed_total Breaches that led to no retraining, by what held it back.
		# TYPE modelvigil_breaches_suppressed_total counter
		modelvigil_breaches_suppressed_total{suppressed_by="cooldown"} 1
		`), "modelvigil_decisions_total", "modelvigil_events_total", "modelvigil_digests_duplicate_total", "modelvigil_batches_missing_total",
		"modelvigil_rejections_total", "modelvigil_breaches_suppressed_total"))
	count, sum := histogram(t, m, "modelvigil_retraining_duration_seconds")
	require.EqualValues(t, 1, count)
	require.InDelta(t, 60, sum, 1)
	count, sum = histogram(t, m, "modelvigil_digest_lag_seconds")
	require.EqualValues(t, 2, count, "a redelivery has no lag of its own")
	require.InDelta(t, 3, sum, 0.001, "a clock that is ahead takes none away")
}

func histogram(t *testing.T, m *telemetry.Metrics, name string) (count uint64, sum float64) {
	t.Helper()
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			require.Len(t, family.GetMetric(), 1)
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0, 0
}

func TestEveryCounterOfMonitorsBeginsWithZero(t *testing.T) {
	m, err := telemetry.NewMetrics(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	workflows.ShowZeros(m.Temporal)
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	series := map[string]int{}
	for _, family := range families {
		series[family.GetName()] = len(family.GetMetric())
	}
	require.Equal(t, len(policy.Kinds()), series["modelvigil_decisions_total"])
	require.Equal(t, len(journal.Suppressions()), series["modelvigil_breaches_suppressed_total"])
	for _, name := range []string{"events", "digests", "digests_duplicate", "batches_missing", "breaches", "rejections"} {
		require.NotZero(t, series["modelvigil_"+name+"_total"], name)
	}
}

// heard is a Listener that remembers.
type heard struct {
	kinds  []policy.Kind
	phases []contract.Phase
}

func (h *heard) Decided(_ workflow.Context, d monitor.Decision) { h.kinds = append(h.kinds, d.Kind) }

func (h *heard) Described(_ workflow.Context, s monitor.Status) { h.phases = append(h.phases, s.Phase) }

func TestAListenerHearsWhatAMonitorDoes(t *testing.T) {
	l := newLife(t, "fraud")
	l.accepts(1)
	var h heard
	l.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		return workflows.MonitorWorkflow(workflows.WithListener(ctx, &h), converter.RawValue{})
	}, workflow.RegisterOptions{Name: "heard"})
	l.publish(0, 0.8)
	l.update(2*time.Hour, "the-end", contract.UpdateStop, nil)
	l.ExecuteWorkflow("heard")
	require.NoError(t, l.GetWorkflowError())
	require.Equal(t, []policy.Kind{policy.Triggered, policy.Accepted, policy.Stopped}, h.kinds)
	require.Contains(t, h.phases, contract.PhaseCoolingDown)
	require.Equal(t, contract.PhaseStopping, h.phases[len(h.phases)-1])
}
