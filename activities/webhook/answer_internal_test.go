package webhook

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/httpclient"
	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/modelops"
)

// Whatever an endpoint answers, it is a job, an outcome or an error, of bounded text.
func FuzzAnswer(f *testing.F) {
	f.Add(202, "", []byte(`{"job_id": "7", "status_url": "/status/7"}`))
	f.Add(200, "", []byte(`{"state": "failed", "message": "out of memory", "model_version": "v8"}`))
	f.Add(429, "Wed, 21 Oct 2026 07:28:00 GMT", []byte("\x00\xff"))
	f.Add(503, "99999999999999999999", []byte(`{"status_url": "http://[::1"}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		a := &answer{
			call: "POST /", from: &url.URL{Scheme: "https", Host: "trainer.example", Path: "/"}, status: status,
			header: http.Header{"Retry-After": {after}, "Content-Type": {"application/json"}}, body: body,
		}
		most := toll.Most{BytesPerByte: 200, Bytes: 256 << 10, WorkPerByte: 2000, Work: 32 << 20}
		most.Hold(t, len(after)+len(body), func() {
			_ = a.refusal()
			_, _ = a.job(func(*url.URL) error { return nil })
			_, _ = a.outcome()
		})
		if !a.ok() {
			if a.refusal() == nil {
				t.Fatalf("status %d is no error", status)
			}
			return
		}
		if job, err := a.job(func(*url.URL) error { return nil }); err == nil && (len(job.StatusURL) > maxStatusURLBytes || !utf8.ValidString(job.ID)) {
			t.Fatalf("%+v", job)
		}
		if outcome, err := a.outcome(); err == nil && outcome.State == "" || err != nil && !errors.Is(err, modelops.ErrRunning) && err.Error() == "" {
			t.Fatalf("%+v, %v", outcome, err)
		}
		if pause := httpclient.RetryAfter(a.header, time.Now()); pause < 0 || pause > httpclient.MaxRetryAfter {
			t.Fatalf("retry after %v", pause)
		}
	})
}
