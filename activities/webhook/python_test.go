package webhook_test

import (
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

// The trainer of the documentation, which verifies by another implementation of
// Standard Webhooks than ours signs by.
func TestTheTrainerInPythonVerifiesTrainsAndTells(t *testing.T) {
	python := os.Getenv("MODELVIGIL_PYTHON")
	if python == "" {
		t.Skip("MODELVIGIL_PYTHON names no Python that has standardwebhooks; `make e2e-webhook` sets it")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := net.SplitHostPort(address)
	trainer := exec.Command(python, "../../examples/trainers/webhook.py", port)
	trainer.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	require.NoError(t, trainer.Start())
	t.Cleanup(func() {
		_ = trainer.Process.Kill()
		_ = trainer.Wait()
	})

	backend, err := webhook.New(webhook.Config{URL: "http://" + address + "/retrainings", Secret: secret})
	require.NoError(t, err)
	request := breach()
	var job modelops.Job
	patience.Until(t, "the receiver takes the request", func() bool {
		job, err = backend.ScheduleRetraining(t.Context(), request)
		return err == nil
	})
	assert.Equal(t, request.RequestID, job.ID)
	var outcome modelops.Outcome
	patience.Until(t, "the retraining has ended", func() bool {
		outcome, err = backend.RetrainingOutcome(t.Context(), request, job)
		return err == nil
	})
	assert.Equal(t, modelops.Succeeded, outcome.State)
	assert.Equal(t, "v3-retrained", outcome.ModelVersion)
	require.NoError(t, backend.CancelRetraining(t.Context(), request, job))

	stranger, err := webhook.New(webhook.Config{URL: "http://" + address + "/retrainings", Secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
	require.NoError(t, err)
	_, err = stranger.ScheduleRetraining(t.Context(), request)
	require.ErrorContains(t, err, "No matching signature found")
	assert.True(t, modelops.IsFinal(err))
}
