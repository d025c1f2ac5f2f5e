package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// A trainer whose login page answers for it is seen while the retraining is in flight,
// and its failure wherever monitors are listed, until a retraining goes well.
func TestABackendsLatestWordIsSeenWhileARetrainingIsInFlight(t *testing.T) {
	t.Parallel()
	const queue, model = "latest-word", "latest-word"
	var trainer *httptest.Server
	trainer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>please log in</html>")
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(w, `{"job_id": "job-1", "status_url": "%s/status"}`, trainer.URL)
	}))
	t.Cleanup(trainer.Close)
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+trainer.URL, "MODELOPS_POLL_INTERVAL=100ms")
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("model_name: "+model), 0o600))
	mustStarter(t, queue, "", "apply", policy)

	mustStarter(t, queue, "", "publish", "--model", model, "--version", "v7", "--accuracy", "0.5")
	patience.Until(t, "status has the backend's word", func() bool {
		told := mustStarter(t, queue, "", "status", model)
		_, word, found := strings.Cut(told, "its latest word: ")
		return found && strings.Contains(word, "please log in")
	})
	assert.Contains(t, mustStarter(t, queue, "", "explain", model), "please log in")

	mustStarter(t, queue, "", "cancel", model, "--reason", "log in first")
	until(t, model, "it is cancelled", func(s monitor.Status) bool { return s.Current == nil })
	_, stderr, code := starter(t, queue, "", "status", "latst-word")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "did you mean latest-word?")
}

// Whoever misspells a model hears that a monitor of that name has begun, before it
// retrains what nobody has.
func TestPublishSaysWhichMonitorsItStartedAndWhatItDoubts(t *testing.T) {
	t.Parallel()
	const queue = "publish-notes"
	startWorker(t, queue)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(policy, []byte("model_name: notes-fraud"), 0o600))
	mustStarter(t, queue, "", "apply", policy)
	patience.Until(t, "the list has it", func() bool { return strings.Contains(mustStarter(t, queue, "", "list"), "notes-fraud") })

	_, stderr, code := starter(t, queue, "", "publish", "--model", "notes-frad", "--accuracy", "93")
	assert.Zero(t, code, "both are legal")
	assert.Contains(t, stderr, "note: started a monitor with the default policy for a model that nobody has applied: notes-frad; did you mean notes-fraud?")
	assert.Contains(t, stderr, "note: notes-frad: accuracy 93: is usually a share of 0 to 1, as thresholds are; was 0.93 meant?; published all the same")

	_, stderr, _ = starter(t, queue, "", "publish", "--model", "notes-fraud", "--accuracy", "0.95")
	assert.Empty(t, stderr, "it is watched, and all is well")
	_, stderr, _ = starter(t, queue, "", "publish", "--model", "notes-fraud")
	assert.Contains(t, stderr, "note: notes-fraud: the event measures nothing")
	_, stderr, _ = starter(t, queue, "", "publish", "--model", "notes-other", "--accuracy", "0.95", "--enrol", "observe")
	assert.Contains(t, stderr, "note: started a monitor with a dry run of the default policy")
}
