package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestAConfigurationIsRefusedWithEveryFaultNamedAndNoSecretTold(t *testing.T) {
	ofBytes := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	const url = "https://trainer.example/retrainings"
	tests := map[string]struct {
		config webhook.Config
		faults []string // none: the configuration is taken
	}{
		"a URL alone is enough":                  {webhook.Config{URL: url}, nil},
		"a query is part of the URL":             {webhook.Config{URL: url + "?team=risk"}, nil},
		"a secret of 24 bytes is long enough":    {webhook.Config{URL: url, Secret: ofBytes(24)}, nil},
		"a secret of 64 bytes is short enough":   {webhook.Config{URL: url, Secret: ofBytes(64)}, nil},
		"nothing at all":                         {webhook.Config{}, []string{"url: is missing"}},
		"a URL without a scheme":                 {webhook.Config{URL: "trainer.example/x"}, []string{"url: must be an absolute http or https URL, got"}},
		"a URL without a host":                   {webhook.Config{URL: "https:///x"}, []string{"url: must be an absolute http or https URL, got"}},
		"a URL of another scheme":                {webhook.Config{URL: "ftp://trainer.example"}, []string{`got "ftp://trainer.example"`}},
		"a URL that can't be parsed":             {webhook.Config{URL: "http://trainer.example:port"}, []string{`got "http://trainer.example:port"`}},
		"a password in the URL":                  {webhook.Config{URL: "https://me:hunter2@trainer.example"}, []string{"url: must not hold a user name or password"}},
		"a password in a URL that is none":       {webhook.Config{URL: "https://me:hunter2/@trainer.example"}, []string{"url: must be an absolute http or https URL, got one"}},
		"a password in a URL without slashes":    {webhook.Config{URL: "me:hunter2@trainer.example"}, []string{"url: must be an absolute http or https URL, got"}},
		"a secret where the URL belongs":         {webhook.Config{URL: secret}, []string{"got what looks like a secret"}},
		"a secret without its prefix":            {webhook.Config{URL: url, Secret: "hunter2"}, []string{"secret: must begin with whsec_"}},
		"a secret that is not base64":            {webhook.Config{URL: url, Secret: "whsec_hunter2!"}, []string{"secret: must be whsec_ and base64"}},
		"a secret of 23 bytes":                   {webhook.Config{URL: url, Secret: ofBytes(23)}, []string{"of 24 to 64 bytes, got 23 bytes"}},
		"a secret of 65 bytes":                   {webhook.Config{URL: url, Secret: ofBytes(65)}, []string{"of 24 to 64 bytes, got 65 bytes"}},
		"a negative timeout":                     {webhook.Config{URL: url, Timeout: -time.Second}, []string{"timeout: must not be negative, got -1s"}},
		"all faults are named at once":           {webhook.Config{URL: "x", Secret: "y", Timeout: -1}, []string{"url: ", "secret: ", "timeout: "}},
		"both faults of a URL are named at once": {webhook.Config{URL: "ftp://me:hunter2@x"}, []string{"absolute http or https", "user name or password"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			backend, err := webhook.New(test.config)
			if test.faults == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Nil(t, backend)
			for _, fault := range test.faults {
				assert.ErrorContains(t, err, fault)
			}
			for _, hidden := range []string{"hunter2", strings.TrimPrefix(secret, "whsec_")} {
				assert.NotContains(t, err.Error(), hidden)
			}
		})
	}
}

func TestARequestIsACloudEventInStructuredMode(t *testing.T) {
	trainer := newReceiver(t, answers(http.StatusAccepted, "", ""))
	backend := newBackend(t, webhook.Config{URL: trainer.URL + "/retrainings?team=risk"})
	_, err := backend.ScheduleRetraining(t.Context(), breach())
	require.NoError(t, err)

	require.Len(t, trainer.got(), 1)
	request := trainer.got()[0]
	assert.Equal(t, http.MethodPost, request.Method)
	assert.Equal(t, "/retrainings?team=risk", request.RequestURI)
	assert.Equal(t, "application/cloudevents+json; charset=utf-8", request.Header.Get("Content-Type"))
	assert.JSONEq(t, `{
		"specversion": "1.0",
		"id": "model-monitor/fraud/0b7f/1",
		"source": "modelvigil/model-monitor/fraud",
		"type": "ai.modelvigil.retraining.requested",
		"subject": "fraud",
		"time": "2026-03-01T12:00:00Z",
		"datacontenttype": "application/json",
		"data": {
			"request_id": "model-monitor/fraud/0b7f/1", "model_name": "fraud", "model_version": "v3",
			"reason": "accuracy 0.8000 below threshold 0.9000", "rule": "accuracy", "metric": "accuracy",
			"value": 0.8, "threshold": 0.9, "triggered_at": "2026-03-01T12:00:00Z", "params": {"epochs": 3}
		}
	}`, string(request.body))
	assert.False(t, request.isSigned(), "there is no secret")
}

func TestEveryModelNameMakesAValidSource(t *testing.T) {
	trainer := newReceiver(t, answers(http.StatusAccepted, "", ""))
	backend := newBackend(t, webhook.Config{URL: trainer.URL})
	rapid.Check(t, func(t *rapid.T) {
		request := breach()
		request.ModelName = rapid.StringN(1, -1, metric.MaxModelNameBytes).Draw(t, "model")
		request.RequestID = contract.WorkflowID(request.ModelName) + "/run/1"
		_, err := backend.ScheduleRetraining(t.Context(), request)
		require.NoError(t, err)

		var event webhook.Event
		got := trainer.got()
		require.NoError(t, json.Unmarshal(got[len(got)-1].body, &event))
		assert.Regexp(t, `^modelvigil/model-monitor/([A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})+$`, event.Source, "RFC 3986")
		path, err := url.PathUnescape(event.Source)
		require.NoError(t, err)
		assert.Equal(t, "modelvigil/model-monitor/"+request.ModelName, path)
		if event.Subject != "" {
			assert.Equal(t, request.ModelName, event.Subject)
		}
		assert.Equal(t, request.ModelName, event.Data.ModelName)
	})
}

func TestASubjectIsLeftOutWhereTheModelNameCanNotBeOne(t *testing.T) {
	tests := map[string]struct{ model, subject string }{
		"a name with spaces is a subject":             {"fraud, EU", "fraud, EU"},
		"a name beyond ASCII is a subject":            {"Betrugsprüfung", "Betrugsprüfung"},
		"a name with a newline is not":                {"fraud\nEU", ""},
		"a name with a C1 control character is not":   {"fraud\u0085EU", ""},
		"a name with a noncharacter of Unicode isn't": {"fraud\uFDD0", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(http.StatusAccepted, "", ""))
			request := breach()
			request.ModelName = test.model
			_, err := newBackend(t, webhook.Config{URL: trainer.URL}).ScheduleRetraining(t.Context(), request)
			require.NoError(t, err)
			var event webhook.Event
			require.NoError(t, json.Unmarshal(trainer.got()[0].body, &event))
			assert.Equal(t, test.subject, event.Subject)
		})
	}
}

func TestEachAttemptIsSignedAndVerifies(t *testing.T) {
	tests := map[string]struct{ requestID, webhookID string }{
		"the webhook-id is the request id":                {"model-monitor/fraud/0b7f/1", "model-monitor/fraud/0b7f/1"},
		"dots in a request id stay":                       {"model-monitor/fraud.v2.20260301.eu/0b7f/1", "model-monitor/fraud.v2.20260301.eu/0b7f/1"},
		"dots around what may be a timestamp are encoded": {"model-monitor/x.1772366400.{}/0b7f/1", "model-monitor/x%2E1772366400%2E{}/0b7f/1"},
		"dots around a signed timestamp are encoded":      {"model-monitor/x.+01772366400./0b7f/1", "model-monitor/x%2E+01772366400%2E/0b7f/1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(http.StatusServiceUnavailable, "", ""))
			backend := newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret})
			request := breach()
			request.RequestID = test.requestID
			for range 2 {
				_, err := backend.ScheduleRetraining(t.Context(), request)
				require.Error(t, err)
				assert.NotContains(t, err.Error(), strings.TrimPrefix(secret, "whsec_"))
			}
			require.Len(t, trainer.got(), 2)
			for _, attempt := range trainer.got() {
				require.NoError(t, attempt.verify())
				assert.Equal(t, test.webhookID, attempt.Header.Get("webhook-id"))
				tampered := received{attempt.Request, []byte(strings.Replace(string(attempt.body), "v3", "v4", 1))}
				assert.Error(t, tampered.verify())
			}
		})
	}
}

func TestARequestThatCanNotBeSentIsRefusedForGood(t *testing.T) {
	tests := map[string]struct {
		change func(*modelops.Request)
		want   string
	}{
		"params that are not JSON": {
			func(r *modelops.Request) {
				r.Params = map[string]json.RawMessage{"epochs": json.RawMessage("{")}
			},
			"schedule retraining of fraud: encode the event: ",
		},
		"a request id that is no header": {
			func(r *modelops.Request) { r.RequestID = "a\r\nwebhook-signature: v1,x" },
			"request id: must be printable ASCII",
		},
		"no request id": {func(r *modelops.Request) { r.RequestID = "" }, "request id: is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(http.StatusAccepted, "", ""))
			request := breach()
			test.change(&request)
			told := scheduledAs(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret}), request)
			require.NotNil(t, told)
			assert.True(t, told.NonRetryable())
			assert.ErrorContains(t, told, test.want)
			assert.Empty(t, trainer.got())
		})
	}
}

func TestACertificateIsVerified(t *testing.T) {
	trainer := httptest.NewUnstartedServer(answers(http.StatusAccepted, "", ""))
	trainer.Config.ErrorLog = discardLog()
	trainer.StartTLS()
	t.Cleanup(trainer.Close)

	stranger := newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret})
	told := scheduled(t.Context(), stranger)
	require.NotNil(t, told)
	assert.ErrorContains(t, told, "certificate")
	assert.False(t, told.NonRetryable(), "a certificate is renewed")

	friend := newBackend(t, webhook.Config{URL: trainer.URL, Secret: secret, Transport: trainer.Client().Transport})
	assert.Nil(t, scheduled(t.Context(), friend))
}
