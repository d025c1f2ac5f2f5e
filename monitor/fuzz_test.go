package monitor_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// survives gives a machine more inputs after what was fuzzed, and fails the test
// if it can't go on, or if what it knows is no longer bounded.
func survives(t *testing.T, m *monitor.Machine) {
	t.Helper()
	before := m.Status(noon).Events
	m.Observe(noon.Add(time.Second), &metric.Event{Timestamp: noon, ModelName: "fraud", Accuracy: metric.Some(0.5)})
	m.Tick(noon.Add(time.Hour))
	s := m.Status(noon.Add(time.Hour))
	if s.Events != before+1 {
		t.Fatalf("%d events, then one more makes %d", before, s.Events)
	}
	for what, value := range map[string]any{"status": s, "state": m.State()} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%s: %v", what, err) // an infinity or NaN got in
		}
		if len(encoded) > monitor.MaxStateBytes {
			t.Fatalf("%s of %d bytes", what, len(encoded))
		}
		if what == "state" {
			if _, err := monitor.DecodeState(encoded); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"model_name": "fraud", "model_version": "v7", "accuracy": 0.93, "latency_ms": 84, "drift_score": 1e100, "metrics": {"auc": -0.91}}`))
	f.Add([]byte(`[{"model_name": "fraud", "timestamp": "2026-11-23T14:05:00Z"}, {}, null, {"accuracy": 1e999}]`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := newMachine(policy.Policy{})
		events, faults := monitor.DecodeEvents(payload, noon)
		m.TakeEvents(noon, payload)
		if s := m.Status(noon); s.Events+s.Rejected != int64(len(events)+len(faults)) {
			t.Fatalf("%d events and %d faults, but %d counted and %d rejected", len(events), len(faults), s.Events, s.Rejected)
		}
		survives(t, m)
	})
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"version": 1, "model_name": "fraud", "publisher": "p", "sequence": 12, "closed": true, "digests": [
		{"model_version": "v7", "events": 3, "first": "2026-03-01T11:00:00Z", "last": "2026-03-01T12:00:00Z",
		 "folded_from": "2026-03-01T11:00:00Z", "folded_until": "2026-03-01T12:00:00Z", "metrics": {
		 "accuracy": {"count": 3, "sum": 2.8, "min": 0.91, "max": 0.95, "min_at": "2026-03-01T11:00:00Z", "max_at": "2026-03-01T12:00:00Z", "sketch": "CgIIAQ=="}}}, null]}`))
	f.Add([]byte(`{"version": 2, "model_name": "fraud", "publisher": "p", "sequence": 12, "digests": [
		{"v": "v7", "n": 3, "t": [1772366400123456789, 60000000000, 5, 7], "m": {"accuracy": {"v": [3, 2.8, 0.91, 0.95], "t": [0, 2], "q": "CgIIAQ=="}}}]}`))
	f.Add([]byte(`{"model_name": "fraud", "publisher": "p", "sequence": 9223372036854775807, "digests": [{"events": -1}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := newMachine(policy.Policy{})
		for range 2 { // delivered twice
			batch, err := metric.DecodeBatch(payload)
			if err != nil {
				m.Reject(noon, contract.SignalMetricDigest, err, payload)
				continue
			}
			m.ObserveBatch(noon, batch)
		}
		if s := m.Status(noon); s.Digests > 0 && s.Duplicates == 0 {
			t.Fatal("a batch was counted twice")
		}
		survives(t, m)
	})
}

func FuzzStateOutcomeAndControl(f *testing.F) {
	m := newMachine(policy.Policy{})
	m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", ModelVersion: "v1", Accuracy: metric.Some(0.5)})
	state, _ := json.Marshal(m.State())
	f.Add(state)
	f.Add([]byte(`{"request_id": "model-monitor/fraud/run/1", "state": "succeeded", "model_version": "v2"}`))
	f.Add([]byte(`{"by": "ada", "reason": "why", "force": true}`))
	f.Add([]byte(`{"version": 99}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if state, err := monitor.DecodeState(payload); err == nil && state.Version != monitor.StateVersion {
			t.Fatalf("version %d", state.Version)
		}
		m := newMachine(policy.Policy{})
		m.Observe(noon, &metric.Event{Timestamp: noon, ModelName: "fraud", Accuracy: metric.Some(0.5)})
		if outcome, err := retraining.DecodeOutcome(payload); err == nil {
			m.Outcome(noon, outcome)
		} else {
			m.Reject(noon, contract.SignalRetrainingOutcome, errors.Join(err), payload)
		}
		if control, err := retraining.DecodeControl(payload); err == nil {
			m.PauseBy(noon, control)
			m.ResumeBy(noon, control)
		}
		survives(t, m)
	})
}
