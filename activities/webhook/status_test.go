package webhook_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestAStatusTellsTheOutcome(t *testing.T) {
	const running, again = "running", "again"
	tests := map[string]struct {
		body string
		want modelops.Outcome
		// kind of error: running, again, or empty where there is none
		kind, text string
	}{
		"succeeded, with the version it made": {
			body: `{"state":"succeeded","message":"auc 0.93","model_version":"v4","seconds":12}`,
			want: modelops.Outcome{State: modelops.Succeeded, Message: "auc 0.93", ModelVersion: "v4"},
		},
		"succeeded, and no more":   {body: `{"state":"succeeded"}`, want: modelops.Outcome{State: modelops.Succeeded}},
		"a version that is number": {body: `{"state":"succeeded","model_version":4}`, want: modelops.Outcome{State: modelops.Succeeded, ModelVersion: "4"}},
		"a version that is a list": {
			body: `{"state":"succeeded","model_version":["v4"]}`,
			want: modelops.Outcome{State: modelops.Succeeded, Message: "(passed over: model_version: must be a string or a number, got a list)"},
		},
		"a version that is a truth value": {
			body: `{"state":"succeeded","message":"done","model_version":true}`,
			want: modelops.Outcome{State: modelops.Succeeded, Message: "done (passed over: model_version: must be a string or a number, got true or false)"},
		},
		"failed, with the reason": {body: `{"state":"failed","message":"out of memory"}`, want: modelops.Outcome{State: modelops.Failed, Message: "out of memory"}},
		"a message that is no text is not worth an outcome": {
			body: `{"state":"failed","message":{"code":7}}`, want: modelops.Outcome{State: modelops.Failed},
		},
		"running":                    {body: `{"state":"running"}`, kind: running, text: "retraining is under way"},
		"running, and how far it is": {body: `{"state":"running","message":"epoch 3\nof 10"}`, kind: running, text: "retraining is under way: epoch 3 of 10"},
		"an unknown state":           {body: `{"state":"SUCCEEDED"}`, kind: again, text: `state: must be "running", "succeeded" or "failed", got "SUCCEEDED"`},
		"no state":                   {body: `{"message":"?"}`, kind: again, text: `state: must be "running", "succeeded" or "failed", got ""`},
		"a state that is no text":    {body: `{"state":["running"]}`, kind: again, text: `state: must be a string, got ["running"]`},
		"no body":                    {body: "", kind: again, text: `no JSON object such as {"state", "message", "model_version"}, but ""`},
		"a page":                     {body: "<h1>log in</h1>", kind: again, text: `but "<h1>log in</h1>"`},
		"a page of more than 64 KiB": {body: strings.Repeat("x", 64<<10+1), kind: again, text: "the answer is larger than 64 KiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(http.StatusOK, jsonType, test.body))
			backend := newBackend(t, webhook.Config{URL: trainer.URL})
			job := modelops.Job{Backend: "webhook", ID: "j-7", StatusURL: trainer.URL + "/jobs/7?token=hunter2", Followed: true}
			outcome, err := backend.RetrainingOutcome(t.Context(), breach(), job)
			assert.Equal(t, "/jobs/7?token=hunter2", trainer.got()[0].RequestURI)
			if test.kind == "" {
				require.NoError(t, err)
				test.want.RequestID = "model-monitor/fraud/0b7f/1"
				assert.Equal(t, test.want, outcome)
				return
			}
			require.ErrorContains(t, err, "ask after retraining of fraud: GET "+trainer.URL+"/jobs/7?…: ")
			assert.ErrorContains(t, err, test.text)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, test.kind == running, errors.Is(err, modelops.ErrRunning))
			assert.False(t, asked(t.Context(), backend, job).NonRetryable())
		})
	}
}

func TestAnOutcomeOutlivesAVersionThatCanNotBeOne(t *testing.T) {
	trainer := newReceiver(t, answers(http.StatusOK, jsonType,
		`{"state":"succeeded","message":"done","model_version":"`+strings.Repeat("v", 201)+`"}`))
	outcome, err := newBackend(t, webhook.Config{URL: trainer.URL}).
		RetrainingOutcome(t.Context(), breach(), modelops.Job{StatusURL: trainer.URL})
	require.NoError(t, err)
	assert.Equal(t, modelops.Succeeded, outcome.State)
	assert.Empty(t, outcome.ModelVersion)
	assert.Contains(t, outcome.Message, "done (passed over: model_version: must be 0 to 200 bytes")
}

func TestAStatusThatIsNoneIsTriedAgainOrFinal(t *testing.T) {
	const date = "Sun, 01 Mar 2026 12:00:00 GMT"
	tests := map[string]struct {
		status int
		header []string
		final  bool
		pause  time.Duration // before it is asked again
	}{
		"404 is final": {404, nil, true, 0},
		"409 is final: there is nothing to accept": {409, nil, true, 0},
		"302 is final":                         {302, []string{"Location", "/login"}, true, 0},
		"500 is asked again at the usual pace": {500, nil, false, activities.DefaultPollInterval},
		"408 is asked again at the usual pace": {408, nil, false, activities.DefaultPollInterval},
		"503 is asked again when it says":      {503, []string{"Retry-After", "90"}, false, 90 * time.Second},
		"429 is asked again when it says":      {429, []string{"Date", date, "Retry-After", "Sun, 01 Mar 2026 12:01:00 GMT"}, false, time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(test.status, "", "", test.header...))
			told := asked(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL}), modelops.Job{StatusURL: trainer.URL + "/jobs/7"})
			require.NotNil(t, told)
			assert.Equal(t, test.final, told.NonRetryable())
			if !test.final {
				assert.Equal(t, test.pause, told.NextRetryDelay())
			}
		})
	}
}

func TestARunningRetrainingIsNoFailureToTemporal(t *testing.T) {
	trainer := newReceiver(t, answers(http.StatusOK, jsonType, `{"state":"running"}`))
	told := asked(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL}), modelops.Job{StatusURL: trainer.URL})
	assert.Equal(t, temporal.ApplicationErrorCategoryBenign, told.Category())
	assert.Equal(t, activities.DefaultPollInterval, told.NextRetryDelay())
}

func TestAStatusIsAskedWithASignatureAtTheEndpointsOriginOnly(t *testing.T) {
	trainer := newReceiver(t, answers(http.StatusOK, jsonType, `{"state":"succeeded"}`))
	elsewhere := newReceiver(t, answers(http.StatusOK, jsonType, `{"state":"succeeded"}`))
	backend := newBackend(t, webhook.Config{URL: trainer.URL + "/retrainings", Secret: secret})

	_, err := backend.RetrainingOutcome(t.Context(), breach(), modelops.Job{StatusURL: trainer.URL + "/jobs/7"})
	require.NoError(t, err)
	request := trainer.got()[0]
	assert.Equal(t, http.MethodGet, request.Method)
	assert.Empty(t, request.body)
	assert.NoError(t, request.verify())
	assert.Equal(t, breach().RequestID, request.Header.Get("webhook-id"))

	backend = newBackend(t, webhook.Config{URL: trainer.URL + "/retrainings", Secret: secret, StatusOrigins: []string{elsewhere.URL}})
	_, err = backend.RetrainingOutcome(t.Context(), breach(), modelops.Job{StatusURL: elsewhere.URL + "/jobs/7"})
	require.NoError(t, err)
	require.Len(t, elsewhere.got(), 1)
	assert.False(t, elsewhere.got()[0].isSigned())
}

// Who answers a retraining request must not be able to have the worker ask, or
// delete, what only the worker reaches.
func TestAStatusIsAskedNowhereButAtListedOrigins(t *testing.T) {
	inside := newReceiver(t, answers(http.StatusTeapot, "text/plain", "a canary of the inside"))
	trainer := newReceiver(t, answers(http.StatusAccepted, jsonType, `{"job_id":"j-7","status_url":"`+inside.URL+`/latest/meta-data/hunter2"}`))
	logger, written := warnings()
	backend := newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret, Logger: logger})
	job, err := backend.ScheduleRetraining(t.Context(), breach())
	require.NoError(t, err)
	assert.Equal(t, modelops.Job{ID: "j-7"}, job, "it is scheduled, and not followed")
	assert.Contains(t, written.String(), "status_url: must be at "+trainer.URL)

	job.StatusURL = inside.URL + "/latest/meta-data/hunter2" // as an older worker has kept it
	told := asked(t.Context(), backend, job)
	require.NotNil(t, told)
	assert.True(t, told.NonRetryable())
	err = backend.CancelRetraining(t.Context(), breach(), job)
	require.ErrorContains(t, err, "status_url: must be at ")
	assert.Empty(t, inside.got(), "nothing was asked, nothing deleted")

	listed := newBackend(t, webhook.Config{URL: trainer.URL, StatusOrigins: []string{inside.URL}})
	_, err = listed.RetrainingOutcome(t.Context(), breach(), job)
	require.ErrorContains(t, err, "GET "+inside.URL+"/…: 418")
	for _, shown := range []string{written.String(), told.Error(), err.Error()} {
		assert.NotContains(t, shown, "hunter2", "the address may be the secret")
	}

	_, err = webhook.New(webhook.Config{URL: trainer.URL, StatusOrigins: []string{"jobs.example.com", "https://jobs.example.com/x"}})
	require.ErrorContains(t, err, "status_origins: must be an absolute http or https URL")
	require.ErrorContains(t, err, `must be an origin such as https://jobs.example.com, without a path, got "https://jobs.example.com/x"`)
}

func TestAnOriginHasManySpellings(t *testing.T) {
	tests := map[string]struct {
		endpoint, status string
		signed           bool
	}{
		"the default port may be named":        {"https://trainer.example/x", "https://trainer.example:443/jobs/7", true},
		"so may that of http":                  {"http://trainer.example:80/x", "http://trainer.example/jobs/7", true},
		"a host has no case":                   {"https://trainer.example/x", "HTTPS://Trainer.Example/jobs/7", true},
		"an IPv6 host is a host":               {"http://[::1]:8080/x", "http://[::1]:8080/jobs/7", true},
		"another port is another origin":       {"https://trainer.example/x", "https://trainer.example:8443/jobs/7", false},
		"another scheme is another origin":     {"https://trainer.example/x", "http://trainer.example/jobs/7", false},
		"a scheme on the other's port as well": {"https://trainer.example/x", "http://trainer.example:443/jobs/7", false},
		"a subdomain is another origin":        {"https://trainer.example/x", "https://jobs.trainer.example/7", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var request received
			answer := fake{status: http.StatusOK, body: `{"state":"succeeded"}`, seen: &request}
			backend := newBackend(t, webhook.Config{URL: test.endpoint, Secret: secret, Transport: answer, StatusOrigins: []string{
				"https://trainer.example:8443", "http://trainer.example", "http://trainer.example:443", "https://jobs.trainer.example",
			}})
			_, err := backend.RetrainingOutcome(t.Context(), breach(), modelops.Job{StatusURL: test.status})
			require.NoError(t, err)
			assert.Equal(t, test.signed, request.isSigned())
		})
	}
}

func TestAJobWithoutAUsableStatusURLCanNotBeAsked(t *testing.T) {
	backend := newBackend(t, webhook.Config{URL: "http://trainer.example"})
	for name, status := range map[string]string{"none": "", "a relative one": "/jobs/7", "another scheme": "file:///x"} {
		t.Run(name, func(t *testing.T) {
			told := asked(t.Context(), backend, modelops.Job{StatusURL: status})
			require.NotNil(t, told)
			assert.True(t, told.NonRetryable())
			assert.ErrorContains(t, told, "ask after retraining of fraud: status_url: ")
		})
	}
}
