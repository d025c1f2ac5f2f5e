package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
)

// Secrets of every kind of backend and channel, each of which then fails or succeeds: none is
// to be found in a history, a status, a log, or what the worker shows.
func TestNoSecretIsShownAnywhere(t *testing.T) {
	t.Parallel()
	const queue = "secrets"
	const canary = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"
	trainer := startPipeline(t)
	file := filepath.Join(t.TempDir(), "backends.yaml")
	away := "http://" + freeAddress(t)
	require.NoError(t, os.WriteFile(file, []byte(
		"signed: {kind: webhook, url: "+trainer.URL+"/retrainings, secret: {env: CANARY}}\n"+
			"away: {kind: webhook, url: \""+away+"/x?token=canarycanary\", secret: {env: CANARY}}\n"+
			"airflow-away: {kind: airflow, url: "+away+", dag: retrain, username: u, password: {env: CANARY}}\n"+
			"airflow-wrong: {kind: airflow, url: "+trainer.URL+", dag: retrain, token: {env: CANARY}}\n"+
			"temporal-away: {kind: temporal, address: \""+strings.TrimPrefix(away, "http://")+"\", workflow_type: T, task_queue: q, api_key: {env: CANARY}}\n"), 0o600))
	host, nowhere := strings.TrimPrefix(trainer.URL, "http://"), strings.TrimPrefix(away, "http://")
	channels := notifying(t, `
channels:
  chat-away:    {kind: shoutrrr, url: {env: CHAT_AWAY}}
  chat-refuses: {kind: shoutrrr, url: {env: CHAT_REFUSES}}
  mail-away:    {kind: shoutrrr, url: {env: MAIL_AWAY}}
  alerts:       {kind: alertmanager, url: '`+trainer.URL+`', token: {env: CANARY}}
  alerts-away:  {kind: alertmanager, url: '`+away+`', username: u, password: {env: CANARY}}
  lake:         {kind: webhook, url: '`+trainer.URL+`/x?token=canarycanary', secret: {env: CANARY}}
`, "CHAT_AWAY=generic://"+nowhere+"/canarycanary?disabletls=yes", "CHAT_REFUSES=generic://"+host+"/x/canarycanary?disabletls=yes&token="+canary,
		"MAIL_AWAY=smtp://u:"+canary+"@"+nowhere+"/?from=a@example.com&to=canarycanary@example.com")
	listen := freeAddress(t)
	worker := start(t, workerPath, nil, append(append(environment(queue), channels...), "MODELOPS_BACKENDS_FILE="+file, "CANARY="+canary, "LOG_LEVEL=debug", "LISTEN_ADDRESS="+listen)...)
	patience.Until(t, "the worker is ready", func() bool { return shown(t, "http://"+listen+"/readyz") != "" })

	names := []string{"signed", "away", "airflow-away", "airflow-wrong", "temporal-away"}
	var policies, events strings.Builder
	for _, name := range names {
		policies.WriteString("---\nmodel_name: secrets-" + name + "\nretraining: {backend: " + name + "}\n" +
			"notify: [{channel: chat-away}, {channel: chat-refuses}, {channel: mail-away}, {channel: alerts}, {channel: alerts-away}, {channel: lake}]\n")
		events.WriteString(`{"model_name": "secrets-` + name + `", "model_version": "v1", "accuracy": 0.5}` + "\n")
	}
	out := mustStarter(t, queue, policies.String(), "apply", "-")
	out += mustStarter(t, queue, events.String(), "publish", "--file", "-")
	patience.Until(t, "each backend was called", func() bool {
		log := worker.output.String()
		return len(trainer.asked()) > 0 && strings.Contains(log, `backend \"away\"`) && strings.Contains(log, `backend \"airflow-away\"`) &&
			strings.Count(log, "smtp: ") > 0 && strings.Count(log, "generic: ") > 1 && strings.Count(log, "/api/v2/alerts") > 1 &&
			strings.Contains(log, `backend \"airflow-wrong\"`) && strings.Contains(log, `backend \"temporal-away\"`)
	})
	everything := map[string]string{
		"log": worker.output.String(), "starter": out + mustStarter(t, queue, "", "list"), "metrics": shown(t, "http://"+listen+"/metrics"),
	}
	for _, name := range names {
		s := status(t, "secrets-"+name)
		assert.NotZero(t, s.Retrainings.Requested, name)
		assert.NotContains(t, everything["metrics"], "secrets-"+name, "the worker's metrics name no model")
		text, err := json.Marshal(s)
		require.NoError(t, err)
		everything["status of "+name] = string(text)
		history := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID("secrets-"+name), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(t, err)
			text, err := protojson.Marshal(event)
			require.NoError(t, err)
			everything["history of "+name] += string(text)
		}
	}
	for where, text := range everything {
		require.NotEmpty(t, text, where)
		for _, secret := range []string{canary, strings.TrimPrefix(canary, "whsec_"), "canarycanary"} {
			assert.NotContains(t, text, secret, where)
		}
	}
}

// shown is what an address answers with, or nothing.
func shown(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address) //nolint:noctx // of a test's own process
	if err != nil || answer.StatusCode != http.StatusOK {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(text)
}
