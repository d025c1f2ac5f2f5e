package backends_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caarlos0/env/v10"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/modelops"
)

const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// open makes the backends that an environment sets.
func open(t *testing.T, environment map[string]string) (map[string]modelops.ModelOps, error) {
	t.Helper()
	var s backends.Settings
	require.NoError(t, env.ParseWithOptions(&s, env.Options{Environment: environment}))
	return s.Open(backends.Process{Environment: environment, Logger: slog.New(slog.DiscardHandler)})
}

// write puts a text into a file of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestAFileNamesAnyNumberOfInstancesOfAKind(t *testing.T) {
	opened, err := open(t, map[string]string{
		"MODELOPS_BACKEND": "payments", "PAYMENTS_KEY": key, "MODELOPS_WEBHOOK_URL": "https://example.com/default",
		"MODELOPS_BACKENDS_FILE": write(t, `
payments: {kind: webhook, url: https://payments.example.com/retrain, secret: {env: PAYMENTS_KEY}}
search:
  kind: webhook
  url: https://search.example.com/retrain
  secret: {file: `+write(t, key+"\n")+`}
trainer: {kind: temporal, workflow_type: Train, task_queue: training, address: "other:7233", namespace: ml}
`),
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"log", "payments", "search", "trainer", "webhook"}, slices.Sorted(maps.Keys(opened)))
}

func TestSecretsComeFromFilesToo(t *testing.T) {
	environment := map[string]string{"MODELOPS_WEBHOOK_URL": "https://example.com", "MODELOPS_WEBHOOK_SECRET_FILE": write(t, key+"\n")}
	_, err := open(t, environment)
	require.NoError(t, err)

	environment["MODELOPS_WEBHOOK_SECRET_FILE"] = write(t, "hunter2")
	_, err = open(t, environment)
	require.ErrorContains(t, err, "MODELOPS_WEBHOOK_SECRET: must begin with whsec_")
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestASecretIsNeverShown(t *testing.T) {
	var s backends.Settings
	require.NoError(t, env.ParseWithOptions(&s, env.Options{Environment: map[string]string{"MODELOPS_WEBHOOK_SECRET": key, "MODELOPS_TEMPORAL_API_KEY": key}}))
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("settings", "all", s, "one", s.Webhook.Secret)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s.Webhook.Secret, s.Webhook.Secret), string(encoded), logged.String()} {
		assert.NotContains(t, shown, key)
	}
	assert.Equal(t, key, s.Webhook.Secret.Value())
}

func TestEveryFaultIsNamed(t *testing.T) {
	empty := write(t, "\n")
	tests := map[string]struct {
		environment map[string]string
		file        string
		faults      []string
	}{
		"a secret in the file itself": {
			file:   "hook: {kind: webhook, url: https://example.com, secret: " + key + "}",
			faults: []string{"hook.secret: must be {env: VARIABLE} or {file: PATH}"},
		},
		"references that lead nowhere": {
			file:   "a: {kind: webhook, url: https://example.com, secret: {env: NOWHERE}}\nb: {kind: webhook, url: https://example.com, secret: {file: " + empty + "}}",
			faults: []string{"a.secret: the environment has no NOWHERE", "b.secret: " + empty + " is empty"},
		},
		"two references": {
			file:   "a: {kind: webhook, url: https://example.com, secret: {env: A, file: b}}",
			faults: []string{"a.secret: must be {env: VARIABLE} or {file: PATH}"},
		},
		"fields": {
			file:   "a: {kind: webhook, urll: https://example.com}\nb: {kind: webhook, url: 7}\nc: {kind: webhook, url: example.com}",
			faults: []string{"a.urll: unknown field; did you mean url?", "b.url: must be a string, got a number", "c.url: must be an absolute http or https URL"},
		},
		"kinds": {
			file:   "a: {kind: spark}\nb: {url: https://example.com}\nc: 7",
			faults: []string{"a.kind: must be one of ", "b.kind: must be one of ", "c.kind: must be one of "},
		},
		"names": {
			file:   "webhook: {kind: webhook, url: https://example.com}\n'two words': {kind: log}",
			faults: []string{"two words.name: must be 1 to 100 of", "webhook.name: is a kind's"},
		},
		"twice the same name": {file: "a: {kind: log}\na: {kind: log}", faults: []string{"not YAML"}},
		"no mapping":          {file: "- a", faults: []string{"must be a mapping of names to settings"}},
		"nothing":             {file: "# nothing yet", faults: []string{"must be a mapping of names to settings"}},
		"a default that is not there": {
			environment: map[string]string{"MODELOPS_BACKEND": "nightly"}, file: "weekly: {kind: log}",
			faults: []string{`MODELOPS_BACKEND: "nightly" is no backend of this process; it has log, weekly, and could have `},
		},
		"a file that is not there": {
			environment: map[string]string{"MODELOPS_BACKENDS_FILE": "/nowhere.yaml"},
			faults:      []string{"MODELOPS_BACKENDS_FILE: open /nowhere.yaml: no such file"},
		},
		"a secret twice": {
			environment: map[string]string{"MODELOPS_WEBHOOK_URL": "https://example.com", "MODELOPS_WEBHOOK_SECRET": key, "MODELOPS_WEBHOOK_SECRET_FILE": empty},
			faults:      []string{"MODELOPS_WEBHOOK_SECRET_FILE: MODELOPS_WEBHOOK_SECRET is set too"},
		},
		"a workflow without a task queue": {
			environment: map[string]string{"MODELOPS_TEMPORAL_WORKFLOW_TYPE": "Train"},
			faults:      []string{"MODELOPS_TEMPORAL_TASK_QUEUE: is missing"},
		},
		"an API key for the monitors' own cluster": {
			environment: map[string]string{"MODELOPS_TEMPORAL_WORKFLOW_TYPE": "Train", "MODELOPS_TEMPORAL_TASK_QUEUE": "q", "MODELOPS_TEMPORAL_API_KEY": key},
			faults:      []string{"MODELOPS_TEMPORAL_API_KEY: is for another cluster"},
		},
		"a profile that does not exist": {
			environment: map[string]string{"MODELOPS_TEMPORAL_WORKFLOW_TYPE": "Train", "MODELOPS_TEMPORAL_TASK_QUEUE": "q", "MODELOPS_TEMPORAL_PROFILE": "nowhere", "TEMPORAL_CONFIG_FILE": empty},
			faults:      []string{"MODELOPS_TEMPORAL_PROFILE: unable to find profile nowhere"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment := maps.Clone(test.environment)
			if environment == nil {
				environment = map[string]string{}
			}
			if test.file != "" {
				environment["MODELOPS_BACKENDS_FILE"] = write(t, test.file)
			}
			_, err := open(t, environment)
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.faults), err)
			for i, fault := range test.faults {
				if test.file != "" && test.environment == nil {
					fault = "MODELOPS_BACKENDS_FILE: " + environment["MODELOPS_BACKENDS_FILE"] + ": " + fault
				}
				assert.True(t, strings.HasPrefix(lines[i], fault), "%q begins with %q", lines[i], fault)
			}
			assert.NotContains(t, err.Error(), key)
		})
	}
}
