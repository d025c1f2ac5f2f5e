package logging_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/logging"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestMain(m *testing.M) { patience.Main(m) }

func TestARequestIsLoggedWithAllItsFields(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		request modelops.Request
		want    map[string]any
	}{
		"a breach, with its metric, value, threshold and params": {
			request: modelops.Request{
				RequestID: "model-monitor/fraud/run/1", ModelName: "fraud", ModelVersion: "v3",
				Reason: "accuracy 0.8000 below threshold 0.9000", Rule: "accuracy", Metric: "accuracy",
				Value: new(0.8), Threshold: new(0.9), TriggeredAt: at,
				Params: map[string]json.RawMessage{"epochs": json.RawMessage("3")},
			},
			want: map[string]any{
				"request_id": "model-monitor/fraud/run/1", "model_name": "fraud", "model_version": "v3",
				"reason": "accuracy 0.8000 below threshold 0.9000", "rule": "accuracy", "metric": "accuracy",
				"value": 0.8, "threshold": 0.9, "triggered_at": "2026-03-01T12:00:00Z", "params": `{"epochs":3}`,
			},
		},
		"an operator's wish, which has no metric": {
			request: modelops.Request{
				RequestID: "model-monitor/fraud/run/2", ModelName: "fraud", ModelVersion: "v3",
				Reason: "new labels", Rule: modelops.RuleManual, TriggeredAt: at,
			},
			want: map[string]any{
				"request_id": "model-monitor/fraud/run/2", "model_name": "fraud", "model_version": "v3",
				"reason": "new labels", "rule": "manual", "triggered_at": "2026-03-01T12:00:00Z",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			backend := logging.Backend{Logger: slog.New(slog.NewJSONHandler(&out, nil))}
			job, err := backend.ScheduleRetraining(t.Context(), test.request)
			require.NoError(t, err)
			assert.Equal(t, modelops.Job{ID: test.request.RequestID}, job)

			var line map[string]any
			require.NoError(t, json.Unmarshal(out.Bytes(), &line), "one line, one request")
			assert.Equal(t, "retraining requested", line["msg"])
			for _, own := range []string{"time", "level", "msg"} {
				delete(line, own)
			}
			assert.Equal(t, test.want, line)
		})
	}
}

func TestParamsThatAreNotJSONAreRefused(t *testing.T) {
	backend := logging.Backend{Logger: slog.New(slog.DiscardHandler)}
	_, err := backend.ScheduleRetraining(t.Context(), modelops.Request{
		ModelName: "fraud", Params: map[string]json.RawMessage{"epochs": json.RawMessage("{")},
	})
	require.ErrorContains(t, err, "log retraining of fraud: params: ")
}
