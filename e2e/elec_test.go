package e2e

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/demo/trainer"
	"github.com/modelvigil/modelvigil/e2e/elec2"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// elecData is the path of ELEC2, the real stream of the New South Wales
// electricity market. The project ships no copy.
func elecData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MODELVIGIL_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(dir, "elec.csv.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the ELEC2 data is missing: %v; set MODELVIGIL_DATA to the folder that holds elec.csv.gz", err)
	}
	return path
}

// Two years and a half of half-hours in seconds: a week of predictions is scored
// against the class, and the monitor decides when the model is fitted again.
func TestRetrainingKeepsARealModelUseful(t *testing.T) {
	t.Parallel()
	const (
		queue, model = "elec", "elec2"
		week         = elec2.Week
		trainedOn    = 8 * week
		fresh        = 6 * week
	)
	samples, err := elec2.Open(elecData(t))
	require.NoError(t, err)
	service, err := trainer.New(trainer.Config{
		ModelName: model, Initial: samples[:trainedOn], FreshSamples: fresh, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	defer func() { assert.NoError(t, service.Close(t.Context())) }()
	web := httptest.NewServer(service)
	defer web.Close()

	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+web.URL+"/retrainings", "MODELOPS_POLL_INTERVAL=50ms")
	mustStarter(t, queue, `{"model_name": "elec2", "rules": [{"metric": "accuracy", "below": 0.75}], "cooldown": "0s"}`, "apply", "-")
	h := hub.New(server.Client(), hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})

	static := service.Model()
	with, without, weeks := 0.0, 0.0, 0.0
	asked := 0 // in this week, for the retraining in flight; 0: there is none
	for first := trainedOn; first+week <= len(samples); first += week {
		window := samples[first : first+week]
		current := service.Model() // serving swaps to the newest
		accuracy, err := current.Accuracy(window)
		require.NoError(t, err)
		onStatic, err := static.Accuracy(window)
		require.NoError(t, err)
		with, without, weeks = with+accuracy, without+onStatic, weeks+1

		body, err := json.Marshal(window)
		require.NoError(t, err)
		response, err := http.Post(web.URL+"/samples", "application/json", bytes.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.NoError(t, h.PublishDurable(t.Context(), metric.Event{
			Timestamp: time.Now(), ModelName: model, ModelVersion: current.Version, Accuracy: metric.Some(accuracy),
		}))

		// The trainer has the next weeks from when it was asked, whatever the machine's pace.
		judged := until(t, model, "the week is judged, and a retraining that it asks for is taken", func(s monitor.Status) bool {
			return s.Events == int64(weeks) && (s.Current == nil || s.Current.Job != nil)
		})
		switch {
		case judged.Current == nil:
			asked = 0
		case asked == 0:
			asked = int(weeks)
		case int(weeks)-asked >= fresh/week:
			until(t, model, "the trainer, which has all it waits for, is done", func(s monitor.Status) bool { return s.Current == nil })
			asked = 0
		}
	}
	require.NoError(t, h.Close(t.Context()))

	s := status(t, model)
	t.Logf("ELEC2, %.0f weeks: accuracy %.3f with retraining, %.3f without; %d retrainings of %d breaches",
		weeks, with/weeks, without/weeks, s.Retrainings.Succeeded, s.Breaches)
	assert.EqualValues(t, weeks, s.Events)
	assert.Positive(t, s.Retrainings.Succeeded)
	assert.Zero(t, s.Retrainings.Failed)
	assert.Greater(t, with/weeks, without/weeks+0.03, "simulated with the same settings the gain is 0.064")
}
