package monitor_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// What an older program wrote is read; of what a newer one wrote, the error says
// which of the two is to be upgraded.
func TestNoVersionMeansTheFirst(t *testing.T) {
	const rest = `"model_name": "fraud", "publisher": "p", "sequence": 1, "digests": []}`
	for _, payload := range []string{"{" + rest, `{"version": 1, ` + rest} {
		batch, err := metric.DecodeBatch([]byte(payload))
		require.NoError(t, err, payload)
		assert.Equal(t, 1, batch.Version)
	}
	_, err := metric.DecodeBatch([]byte(`{"version": 9, ` + rest))
	require.EqualError(t, err, "version: this worker reads version 1 or 2, got 9; upgrade the older of publisher and worker")

	wanted, err := policy.Decode([]byte(`{}`))
	require.NoError(t, err)
	versioned, err := policy.Decode([]byte(`{"version": 1}`))
	require.NoError(t, err)
	assert.Equal(t, wanted.WithDefaults(), versioned.WithDefaults())
	_, err = policy.Decode([]byte(`{"version": 2, "cooldown": "-1s"}`))
	require.EqualError(t, err, "version: policies up to version 1 are read here, got 2; run a newer worker and modelvigil\ncooldown: must be 0s to 8760h, got -1s")

	state, err := monitor.DecodeState([]byte(`{"model_name": "fraud", "policy": {"rules": [{"name": "accuracy", "metric": "accuracy", "below": 0.9}], "cooldown": "1h", "retraining": {"timeout": "24h"}}}`))
	require.NoError(t, err)
	assert.Equal(t, monitor.StateVersion, state.Version)
	m := monitor.Restore(state)
	m.SetPolicy(noon, state.Policy)
	assert.Empty(t, m.Status(noon).Decisions, "the same policy with its version spelled out is no change")
	_, err = monitor.DecodeState([]byte(`{"version": 2}`))
	require.EqualError(t, err, "state: version 2, but this worker reads up to 1; run the newer worker")
}

func TestAMonitorSaysWhichBatchesItTakesAndAHubSendsNoNewerOne(t *testing.T) {
	m := newMachine(policy.Policy{})
	assert.Equal(t, []int{1, 2}, m.Status(noon).BatchVersions)
	assert.Equal(t, []int{1, 2}, m.Guidance(noon).BatchVersions)
	assert.Equal(t, 1, contract.Guidance{}.BatchVersion(), "an older monitor says nothing")
	assert.Equal(t, metric.BatchVersion, contract.Guidance{BatchVersions: []int{1, metric.BatchVersion, metric.BatchVersion + 1}}.BatchVersion())
}

func TestMetricsAndVersionsBeyondTheBoundsAreCountedAsOverflow(t *testing.T) {
	m := newMachine(policy.Policy{}.With(policy.Above("metric9999", 1)))
	for i := range 10_000 {
		m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{fmt.Sprintf("metric%d", i): 2}})
	}
	status := m.Status(noon)
	assert.EqualValues(t, 10_000-200, status.Overflow)
	assert.EqualValues(t, 1, status.Retrainings.Requested, "what is not kept is judged all the same")

	m = newMachine(policy.Policy{})
	for i := range 10_000 {
		m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", ModelVersion: fmt.Sprintf("v%d", i)})
	}
	status = m.Status(noon)
	assert.EqualValues(t, 10_000-20, status.Overflow)
	assert.EqualValues(t, 10_000, status.Events)
	encoded, err := json.Marshal(m.State())
	require.NoError(t, err)
	assert.Less(t, len(encoded), monitor.MaxStateBytes)
}
