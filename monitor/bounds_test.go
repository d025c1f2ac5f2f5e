package monitor_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// A signal of 2 MiB must not hold a workflow task up: the SDK takes a second of
// computing for a deadlock, fails the task, and tries it again for ever.
func TestASignalOfVeryManyObservationsIsRefusedAsOne(t *testing.T) {
	zeros := "[" + strings.TrimSuffix(strings.Repeat("0,", 1<<20), ",") + "]"
	events, refused := monitor.DecodeEvents([]byte(zeros), noon)
	require.Empty(t, events)
	require.Len(t, refused, 1)
	require.EqualError(t, refused[0].Err, "must be at most 10000 events, got 1048576; send more signals")

	empty := strings.TrimSuffix(strings.Repeat("{},", 1<<19), ",")
	_, err := metric.DecodeBatch([]byte(`{"version":1,"model_name":"m","publisher":"p","sequence":1,"digests":[` + empty + `]}`))
	require.EqualError(t, err, "digests: must be at most 10000, got 524288; send more batches")
}

func TestASignalOfManyBrokenEventsCostsLittleAndIsCountedInFull(t *testing.T) {
	payload := []byte("[" + strings.TrimSuffix(strings.Repeat(`{"x":1},`, 10_000), ",") + "]" + strings.Repeat(" ", 1<<21))
	m := newMachine(policy.Policy{})
	_, faults := monitor.DecodeEvents(payload, noon)
	require.Len(t, faults, 10_000)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			m.Reject(noon, contract.SignalMetric, faults[i%len(faults)].Err, payload)
		}
	})
	assert.Less(t, result.AllocedBytesPerOp(), int64(4096), "of a payload of megabytes only the beginning is copied")

	m = newMachine(policy.Policy{})
	for _, fault := range faults {
		m.Reject(noon, contract.SignalMetric, fault.Err, payload)
	}
	status := m.Status(noon)
	assert.EqualValues(t, 10_000, status.Rejected)
	require.Len(t, status.Rejections, 5)
	assert.True(t, strings.HasPrefix(status.Rejections[4].Reason, "[9999]: x: unknown field"), status.Rejections[4].Reason)
	assert.True(t, strings.HasPrefix(status.Rejections[4].Payload, `[{"x":1},`))
	assert.LessOrEqual(t, len(status.Rejections[4].Payload), 200)
}

func TestCountersDoNotOverflow(t *testing.T) {
	m := newMachine(policy.Policy{})
	for i := range int64(3) {
		huge := metrictest.DigestOf(event(noon, 0.95, 100, 0), noon)
		huge.Events = math.MaxInt64
		m.ObserveBatch(noon, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: i + 1, Digests: []*metric.Digest{huge}})
	}
	status := m.Status(noon)
	assert.Zero(t, status.Events)
	assert.EqualValues(t, 3, status.Rejected)
}

// What tells a redelivery from news is the last to be given up.
func TestALargeStateKeepsItsPublishersAndUpdates(t *testing.T) {
	rules := make([]policy.Rule, 50)
	for i := range rules {
		rules[i] = policy.Below(fmt.Sprintf("%0100d", i), 1)
	}
	policy := policy.Policy{Rules: rules, Retraining: policy.Retraining{Params: map[string]json.RawMessage{
		"blob": json.RawMessage(`"` + strings.Repeat("x", 16_000) + `"`),
	}}}.WithCooldown(0)
	m := newMachine(policy)
	publisher := func(i int) string { return fmt.Sprintf("%064d", i) }
	metrics := map[string]float64{}
	for i := range 10 {
		metrics[fmt.Sprintf("%0100d", 100+i)] = 0.5
	}
	for i := range 1000 {
		now := noon.Add(time.Duration(i) * time.Second)
		e := &metric.Event{ModelName: "fraud", ModelVersion: fmt.Sprintf("%0200d", i%20), Metrics: metrics}
		m.ObserveBatch(now, &metric.Batch{
			Version: 1, ModelName: "fraud", Publisher: publisher(i), Sequence: 1, Digests: []*metric.Digest{metrictest.DigestOf(e, now)},
		})
		m.PauseBy(now, monitor.Control{By: strings.Repeat("a", 200), Reason: strings.Repeat("<", 300)})
		m.ResumeBy(now, monitor.Control{By: strings.Repeat("a", 200), Reason: strings.Repeat("<", 300)})
		m.Remember(time.Time{}, fmt.Sprintf("%036d", i), monitor.UpdateResult{Phase: contract.PhaseWatching})
	}
	now := noon.Add(1000 * time.Second)
	encoded := encode(t, m.State())
	require.LessOrEqual(t, len(encoded), monitor.MaxStateBytes)
	state, err := monitor.DecodeState([]byte(encoded))
	require.NoError(t, err)
	require.Less(t, len(state.Decisions), 50, "something had to go")
	m = monitor.Restore(state)
	before := m.Status(now)
	require.Equal(t, 1000, before.Publishers)
	for i := range 1000 {
		m.ObserveBatch(now, &metric.Batch{
			Version: 1, ModelName: "fraud", Publisher: publisher(i), Sequence: 1,
			Digests: []*metric.Digest{metrictest.DigestOf(event(now, 0.95, 100, 0), now)},
		})
	}
	after := m.Status(now)
	assert.Equal(t, before.Events, after.Events)
	assert.EqualValues(t, 1000, after.Duplicates)
	_, handled := m.Recall(fmt.Sprintf("%036d", 900))
	assert.True(t, handled)
}

func TestTheNewestVersionsMetricsAreKept(t *testing.T) {
	m := newMachine(policy.Policy{})
	metrics := map[string]float64{}
	for i := range 60 {
		metrics[fmt.Sprint("metric", i)] = 1
	}
	now := noon
	for i := range 10 {
		now = noon.Add(time.Duration(i) * 24 * time.Hour)
		m.Observe(now, &metric.Event{ModelName: "fraud", ModelVersion: fmt.Sprint("v", i), Metrics: metrics})
	}
	kept := 0
	for _, v := range m.Status(now).Versions {
		kept += len(v.Metrics)
	}
	assert.LessOrEqual(t, kept, 200)
	assert.Len(t, m.Status(now).Versions["v9"].Metrics, 60)

	for i := range 4 { // side by side, as canaries are: none pushes another's out
		for range 2 {
			m.Observe(now, &metric.Event{ModelName: "fraud", ModelVersion: fmt.Sprint("canary", i), Metrics: metrics})
		}
	}
	assert.EqualValues(t, 2, m.Status(now).Versions["canary0"].Metrics["metric0"].Count)
}

func TestTimeStampsWithoutAMeaningDoNotOutliveTheirEvent(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, &metric.Event{ModelName: "fraud", ModelVersion: "v1"})
	assert.Equal(t, noon, m.Status(noon).Versions["v1"].LastSeen, "an event without a timestamp is of the time it is handled")
	m.Observe(noon, &metric.Event{ModelName: "fraud", ModelVersion: "v1", Timestamp: noon.Add(-time.Hour)})
	assert.Equal(t, noon, m.Status(noon).Versions["v1"].LastSeen)
}
