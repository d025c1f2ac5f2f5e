package webhook_test

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestEveryAnswerThatAcceptsMakesAJob(t *testing.T) {
	tests := map[string]struct {
		status            int
		contentType, body string
		want              modelops.Job // of StatusURL, what follows the server's address
		warning           string       // empty: there is nothing to tell
	}{
		"200 without a body":                {status: 200},
		"202 without a body":                {status: 202},
		"204, which has no body":            {status: 204},
		"200 with white space":              {status: 200, contentType: jsonType, body: " \n"},
		"200 with null":                     {status: 200, contentType: jsonType, body: "null"},
		"200 with an empty object":          {status: 200, contentType: jsonType, body: "{}"},
		"200 with text":                     {status: 200, contentType: "text/plain", body: "thank you"},
		"201 with a job id alone":           {status: 201, contentType: jsonType, body: `{"job_id":"j-7"}`, want: modelops.Job{ID: "j-7"}},
		"a job id that is a number":         {status: 201, contentType: jsonType, body: `{"job_id":900719925474099301}`, want: modelops.Job{ID: "900719925474099301"}},
		"fields that are null":              {status: 201, contentType: jsonType, body: `{"job_id":null,"status_url":null}`},
		"fields that nobody asked for":      {status: 201, contentType: jsonType, body: `{"job_id":"j-7","queue":{"length":3}}`, want: modelops.Job{ID: "j-7"}},
		"JSON that calls itself text":       {status: 200, contentType: "text/plain", body: `{"job_id":"j-7"}`, want: modelops.Job{ID: "j-7"}},
		"JSON of a kind of its own":         {status: 200, contentType: "application/hal+json", body: `{"job_id":"j-7"}`, want: modelops.Job{ID: "j-7"}},
		"409 without a body":                {status: 409},
		"409 with an error":                 {status: 409, contentType: jsonType, body: `{"error":"known already"}`},
		"409 with the job":                  {status: 409, contentType: jsonType, body: `{"job_id":"j-7","status_url":"/jobs/7"}`, want: modelops.Job{ID: "j-7", StatusURL: "/jobs/7", Followed: true}},
		"a status_url that begins at /":     {status: 202, contentType: jsonType, body: `{"status_url":"/jobs/7?full=1#top"}`, want: modelops.Job{StatusURL: "/jobs/7?full=1", Followed: true}},
		"a status_url beside the endpoint":  {status: 202, contentType: jsonType, body: `{"status_url":"7"}`, want: modelops.Job{StatusURL: "/api/7", Followed: true}},
		"an empty status_url":               {status: 202, contentType: jsonType, body: `{"job_id":"j-7","status_url":""}`, want: modelops.Job{ID: "j-7"}},
		"malformed JSON":                    {status: 202, contentType: jsonType, body: `{"job_id":"j-7"`, warning: "no JSON object"},
		"malformed JSON that is text":       {status: 202, contentType: "text/plain", body: `{"job_id":"j-7"`, warning: "no JSON object"},
		"JSON that is no object":            {status: 202, contentType: jsonType, body: `["j-7"]`, warning: "no JSON object"},
		"a job id that is an object":        {status: 202, contentType: jsonType, body: `{"job_id":{},"status_url":"/jobs/7"}`, want: modelops.Job{StatusURL: "/jobs/7", Followed: true}, warning: "job_id: must be a string, got {}"},
		"a status_url of another scheme":    {status: 202, contentType: jsonType, body: `{"job_id":"j-7","status_url":"file:///etc/passwd"}`, want: modelops.Job{ID: "j-7"}, warning: "status_url: must be an absolute http or https URL"},
		"a status_url with a password":      {status: 202, contentType: jsonType, body: `{"job_id":"j-7","status_url":"http://me:hunter2@x/"}`, want: modelops.Job{ID: "j-7"}, warning: "status_url: must not hold a user name or password"},
		"a status_url that can't be parsed": {status: 202, contentType: jsonType, body: `{"job_id":"j-7","status_url":"http://x:y/"}`, want: modelops.Job{ID: "j-7"}, warning: "status_url: must be a URL"},
		"a status_url of more than 2 KiB":   {status: 202, contentType: jsonType, body: `{"job_id":"j-7","status_url":"/` + strings.Repeat("7", 2048) + `"}`, want: modelops.Job{ID: "j-7"}, warning: "status_url: must be at most 2048 bytes"},
		"an answer of more than 64 KiB":     {status: 202, contentType: jsonType, body: `{"job_id":"` + strings.Repeat("7", 64<<10) + `"}`, warning: "the answer is larger than 64 KiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(test.status, test.contentType, test.body))
			logger, written := warnings()
			backend := newBackend(t, webhook.Config{URL: trainer.URL + "/api/retrainings?token=hunter2", Logger: logger})
			job, err := backend.ScheduleRetraining(t.Context(), breach())
			require.NoError(t, err)
			if test.want.StatusURL != "" {
				test.want.StatusURL = trainer.URL + test.want.StatusURL
			}
			assert.Equal(t, test.want, job)
			assert.Len(t, trainer.got(), 1)
			if test.warning == "" {
				assert.Empty(t, written.String())
			} else {
				assert.Contains(t, written.String(), test.warning)
				assert.Contains(t, written.String(), "request_id=model-monitor/fraud/0b7f/1")
				assert.NotContains(t, written.String(), "hunter2")
			}
		})
	}
}

func TestAnAnswerThatBreaksOffStillAccepts(t *testing.T) {
	trainer := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"job_id":"j-7"`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	logger, written := warnings()
	job, err := newBackend(t, webhook.Config{URL: trainer.URL, Logger: logger}).ScheduleRetraining(t.Context(), breach())
	require.NoError(t, err)
	assert.Equal(t, modelops.Job{}, job)
	assert.Contains(t, written.String(), "the answer broke off")
}

func TestNoBodyTakesAnAcceptanceBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answer := fake{status: http.StatusOK}
		answer.contentType = rapid.SampledFrom([]string{jsonType, "text/html", "nonsense"}).Draw(t, "content type")
		value := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"/jobs/7"`, `"http://[::1"`, "null", "7", "{}", "1e400"}))
		answer.body = rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string {
			return `{"job_id":` + value.Draw(t, "job_id") + `,"status_url":` + value.Draw(t, "status_url") + `}`
		})).Draw(t, "body")
		backend, err := webhook.New(webhook.Config{
			URL: "http://trainer.example", Transport: answer, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		job, err := backend.ScheduleRetraining(t.Context(), breach())
		require.NoError(t, err)
		assert.Equal(t, job.Followed, job.StatusURL != "")
	})
}

func TestAnyOtherStatusIsTriedAgainOrFinal(t *testing.T) {
	retried := map[int]bool{408: true, 429: true}
	var answered atomic.Int64
	trainer := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		answers(int(answered.Load()), "text/html", "<h1>sorry</h1>\r\n\r\n\t<p>busy</p>\x00")(w, r)
	})
	backend := newBackend(t, webhook.Config{URL: trainer.URL + "/retrainings?token=hunter2", Secret: secret})
	for status := 300; status < 600; status++ {
		if status == http.StatusConflict {
			continue
		}
		answered.Store(int64(status))
		told := scheduled(t.Context(), backend)
		require.NotNil(t, told, "%d", status)
		assert.Equal(t, !retried[status] && status < 500, told.NonRetryable(), "%d", status)
		assert.Zero(t, told.NextRetryDelay(), "%d", status)
		assert.Contains(t, told.Error(), "schedule retraining of fraud: POST "+trainer.URL+"/retrainings?…: "+strconv.Itoa(status))
		assert.NotContains(t, told.Error(), "hunter2")
		assert.NotContains(t, told.Error(), "\n")
		if status >= 400 {
			assert.Contains(t, told.Error(), ": <h1>sorry</h1> <p>busy</p>", "%d", status)
		}
	}
}

func TestAnErrorShowsAtMost200BytesOfTheBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }),
			rapid.StringN(0, 2000, -1),
			rapid.Map(rapid.SampledFrom([]string{"é", "x", "日", "\n", "😀"}), func(s string) string { return strings.Repeat(s, 900) }),
		).Draw(t, "body")
		backend, err := webhook.New(webhook.Config{URL: "http://trainer.example", Transport: fake{status: 400, body: body}})
		require.NoError(t, err)
		_, err = backend.ScheduleRetraining(t.Context(), breach())
		require.Error(t, err)
		_, shown, _ := strings.Cut(err.Error(), "400 Bad Request")
		assert.LessOrEqual(t, len(shown), len(": ")+200)
		assert.True(t, utf8.ValidString(shown))
		assert.NotRegexp(t, `[\x00-\x1F\x7F]`, shown)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	const date = "Sun, 01 Mar 2026 12:00:00 GMT"
	tests := map[string]struct {
		status     int
		retryAfter string
		want       time.Duration
	}{
		"429 in seconds":                         {429, "120", 2 * time.Minute},
		"503 in seconds":                         {503, "7", 7 * time.Second},
		"503 at a date, by the answer's clock":   {503, "Sun, 01 Mar 2026 12:05:00 GMT", 5 * time.Minute},
		"429 at a date in the format of RFC 850": {429, "Sunday, 01-Mar-26 12:00:30 GMT", 30 * time.Second},
		"an hour is the longest":                 {503, "3600", time.Hour},
		"longer than an hour is an hour":         {503, "86400", time.Hour},
		"more seconds than a number holds":       {503, "99999999999999999999", time.Hour},
		"a date in a year":                       {503, "Mon, 01 Mar 2027 12:00:00 GMT", time.Hour},
		"no pause":                               {503, "0", 0},
		"a date that is past":                    {503, "Sun, 01 Mar 2026 11:00:00 GMT", 0},
		"a negative pause":                       {503, "-5", 0},
		"half a second":                          {429, "0.5", 0},
		"nonsense":                               {429, "soon", 0},
		"500 has no say":                         {500, "120", 0},
		"408 has no say":                         {408, "120", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trainer := newReceiver(t, answers(test.status, "", "", "Retry-After", test.retryAfter, "Date", date))
			told := scheduled(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL}))
			require.NotNil(t, told)
			assert.False(t, told.NonRetryable())
			assert.Equal(t, test.want, told.NextRetryDelay())
		})
	}
}

func TestAnEndpointThatDoesNotAnswerIsTriedAgain(t *testing.T) {
	t.Run("because it is not there", func(t *testing.T) {
		trainer := newReceiver(t, answers(http.StatusOK, "", ""))
		trainer.Close()
		told := scheduled(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL + "?token=hunter2"}))
		require.NotNil(t, told)
		assert.False(t, told.NonRetryable())
		assert.ErrorContains(t, told, "schedule retraining of fraud: POST "+trainer.URL+"?…: no answer: ")
		assert.NotContains(t, told.Error(), "hunter2")
	})
	t.Run("because it hangs up", func(t *testing.T) {
		trainer := newReceiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		told := scheduled(t.Context(), newBackend(t, webhook.Config{URL: trainer.URL}))
		require.NotNil(t, told)
		assert.False(t, told.NonRetryable())
	})
	t.Run("because the caller gave up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		trainer := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := newBackend(t, webhook.Config{URL: trainer.URL}).ScheduleRetraining(ctx, breach())
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("because it takes longer than the timeout", func(t *testing.T) {
		trainer := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		backend := newBackend(t, webhook.Config{URL: trainer.URL, Timeout: 20 * time.Millisecond})
		_, err := backend.ScheduleRetraining(t.Context(), breach())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.False(t, scheduled(t.Context(), backend).NonRetryable())
	})
}
