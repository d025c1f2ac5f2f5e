package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// maxListed bounds the rejections that an answer lists; it counts all of them.
const maxListed = 100

// maxReason bounds the text of a rejection, in bytes.
const maxReason = 500

// rejection is why one event of a body was not accepted.
type rejection struct {
	Index  int64  `json:"index"` // among the events of the body, from 0
	Reason string `json:"reason"`
}

// outcome is what became of the events of a body.
type outcome struct {
	Accepted int64       `json:"accepted"`
	Rejected []rejection `json:"rejected"`
	// RejectedTotal counts also those that are not listed.
	RejectedTotal int64  `json:"rejected_total"`
	Note          string `json:"note,omitempty"`

	forbidden int64 // of the rejected, those that the token may not publish to
	notNow    int64 // and those that there is nothing wrong with
}

func newOutcome() *outcome { return &outcome{Rejected: []rejection{}} }

// reject takes in the fault of the next event.
func (o *outcome) reject(err error) {
	if errors.Is(err, ErrForbidden) {
		o.forbidden++
	}
	if errors.Is(err, ErrNotNow) {
		o.notNow++
	}
	if len(o.Rejected) < maxListed {
		o.Rejected = append(o.Rejected, rejection{o.next(), plain.Cut(plain.Faults(err), maxReason)})
	}
	o.RejectedTotal++
}

// list makes the answer ready. The rejections stay in it where there is memory for them:
// whoever sends requests and reads no answer lets the answers wait. It says so where not all
// are listed, and where some events should be sent again.
func (o *outcome) list(held *memory) {
	var notes []string
	if !held.take(o.bytes()) {
		o.Rejected = []rejection{}
		notes = append(notes, fmt.Sprintf("requests of this token hold too much memory to say why %d were rejected", o.RejectedTotal))
	} else if o.RejectedTotal > maxListed {
		notes = append(notes, fmt.Sprintf("the first %d of %d rejections are listed", maxListed, o.RejectedTotal))
	}
	if o.notNow > 0 {
		notes = append(notes, fmt.Sprintf("of the %d rejected %d could not be taken now; send those again later", o.RejectedTotal, o.notNow))
	}
	o.Note = strings.Join(notes, "; ")
}

// bytes is what the rejections take in memory, as they are and as they are written, where a
// character may become two.
func (o *outcome) bytes() (bytes int64) {
	const each, times = 64, 3
	for _, r := range o.Rejected {
		bytes += int64(each + times*len(r.Reason))
	}
	return bytes
}

// next is the index of the next event.
func (o *outcome) next() int64 { return o.Accepted + o.RejectedTotal }

func (o *outcome) write(w http.ResponseWriter, status int) {
	writeJSON(w, status, "application/json", o)
}

// problem is an answer that is no success, in the form of RFC 9457.
type problem struct {
	Type       string           `json:"type"`
	Title      string           `json:"title"`
	Status     int              `json:"status"`
	Detail     string           `json:"detail"`
	*outcome                    // of a body
	NotDurable map[string]int64 `json:"not_durable,omitempty"` // accepted events by model

	header http.Header
}

// Error implements error.
func (p problem) Error() string { return p.Detail }

func (p problem) write(w http.ResponseWriter) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	maps.Copy(w.Header(), p.header)
	writeJSON(w, p.Status, "application/problem+json", p)
}

// retryAfter is what a client is told to wait, in seconds, when there is no room or
// nobody at home: longer than a hub's pace while healthy takes to send.
const retryAfter = "5"

// reply is what a request that was posted is answered, whoever writes it.
type reply struct {
	http.ResponseWriter
	by     *token // whose request it is, once that is known
	status int
}

// WriteHeader implements http.ResponseWriter. It says when to try again, where that is of
// use.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		r.Header().Set("Retry-After", retryAfter)
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *reply) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// isRefusal says whether an answer of such a status means that nothing was taken. The two
// others above 400 are about what was accepted.
func isRefusal(status int) bool {
	return status >= http.StatusBadRequest && status != http.StatusConflict && status != http.StatusGatewayTimeout
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)                 // no browser takes it for a page
	if err := encoder.Encode(body); err != nil { // only text and numbers are in it
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(encoded.Bytes())
}

// onlyMethods answers every other method.
func onlyMethods(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		problem{
			Status: http.StatusMethodNotAllowed, Detail: fmt.Sprintf("%s takes %s, got %s", r.URL.Path, allowed, plain.Cut(r.Method, 20)),
			header: http.Header{"Allow": {allowed}},
		}.write(w)
	}
}

// cause takes from an error of the hub what the hub was about to do. Closed it is only when
// the time for requests to publish was over.
func cause(err error) error {
	if errors.Is(err, hub.ErrClosed) {
		return fmt.Errorf("%w: %w", ErrNotNow, errStopping)
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
