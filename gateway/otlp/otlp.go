// Package otlp takes OpenTelemetry metrics over OTLP/HTTP and publishes their data
// points as metric events. docs/feeding.md says what becomes of each kind.
package otlp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// tellEvery is how often the log warns of points that were not taken: SDKs show at
// most the status of an answer.
const tellEvery = time.Minute

// Publisher is where the events of requests go, each with its request's context. Its
// errors are of the event alone, but for those of the kind gateway.ErrNotNow.
type Publisher interface {
	// Sender names who sent a request. What is remembered of one is kept apart from
	// what is remembered of another.
	Sender(ctx context.Context) string
	// Check says why an event would be refused, also for want of room, and publishes
	// nothing.
	Check(ctx context.Context, event *metric.Event) error
	Publish(ctx context.Context, event metric.Event) error
	// Rejected counts data points of a request that were not published.
	Rejected(ctx context.Context, points int64)
	// Reserve takes so many bytes of memory until the request is answered.
	Reserve(ctx context.Context, bytes int64) error
}

// Handler serves POST /v1/metrics. It reads the body whole: who mounts it bounds
// and decompresses it.
type Handler struct {
	publisher Publisher
	mapping   Mapping
	streams   *streams
	log       *slog.Logger
	told      atomic.Pointer[time.Time] // when the log last warned
}

// New returns a handler that publishes what a mapping makes of data points.
// Cumulative ones that began before now are counted from their second export on.
func New(publisher Publisher, mapping Mapping, log *slog.Logger) *Handler {
	return &Handler{publisher: publisher, mapping: mapping.withDefaults(), streams: newStreams(time.Now()), log: log}
}

// ServeHTTP implements http.Handler. It answers 200, with partial_success where
// some data points were rejected or left out: OTLP has no client try that again. Where
// all were rejected it answers 400, or 429 if some of them may be taken later.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := formOf(r)
	if form == nil {
		w.Header().Set("Accept-Post", typeProtobuf+", "+typeJSON)
		Refuse(w, r, http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type: must be %s or %s, got %.100q", typeProtobuf, typeJSON, r.Header.Get("Content-Type")))
		return
	}

	var whole bytes.Buffer
	whole.Grow(int(max(0, r.ContentLength)) + bytes.MinRead)
	_, err := whole.ReadFrom(r.Body)
	body := whole.Bytes()
	var cost int64
	if err == nil {
		cost, err = form.cost(body)
	}
	if err == nil {
		if full := h.publisher.Reserve(r.Context(), cost+int64(whole.Cap())); full != nil {
			Refuse(w, r, http.StatusTooManyRequests, full.Error())
			return
		}
	}

	var request collector.ExportMetricsServiceRequest
	if err == nil {
		err = form.unmarshal(body, &request)
	}
	if err != nil {
		Refuse(w, r, http.StatusBadRequest, fmt.Sprintf("not an ExportMetricsServiceRequest in %s: %v; nothing was accepted", form.contentType, err))
		return
	}

	e := &export{handler: h, ctx: r.Context(), sender: h.publisher.Sender(r.Context()), most: mostUnfolded(&request, len(body))}
	e.request(&request)
	message := e.message()
	h.tell(r, message)
	h.publisher.Rejected(r.Context(), e.rejected)
	switch {
	case e.rejected > 0 && e.published == 0 && e.isForLater:
		Refuse(w, r, http.StatusTooManyRequests, message)
		return
	case e.rejected > 0 && e.published == 0:
		Refuse(w, r, http.StatusBadRequest, message)
		return
	}

	response := &collector.ExportMetricsServiceResponse{}
	if message != "" {
		response.PartialSuccess = &collector.ExportMetricsPartialSuccess{RejectedDataPoints: e.rejected, ErrorMessage: message}
	}
	form.write(w, http.StatusOK, response)
}

// tell logs what was not taken, now and then.
func (h *Handler) tell(r *http.Request, message string) {
	if message == "" {
		return
	}
	level, now, last := slog.LevelDebug, time.Now(), h.told.Load()
	if (last == nil || now.Sub(*last) >= tellEvery) && h.told.CompareAndSwap(last, &now) {
		level = slog.LevelWarn
	}
	h.log.Log(r.Context(), level, "not all OpenTelemetry data points were taken", "from", r.RemoteAddr, "client", plain.Excerpt(r.UserAgent(), 200), "why", message)
}
