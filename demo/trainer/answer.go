package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// retryAfterSeconds is the pause asked for with 503.
const retryAfterSeconds = "5"

// refusal is an answer other than the one hoped for.
type refusal struct {
	status int
	reason string
}

// fault is a refusal's body.
type fault struct {
	Error string `json:"error"`
}

func (t *Trainer) refuse(w http.ResponseWriter, r *http.Request, refusal *refusal) {
	t.log.Warn("request refused", "method", r.Method, "path", r.URL.Path, "status", refusal.status, "reason", refusal.reason)
	if refusal.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	writeJSON(w, refusal.status, fault{refusal.reason})
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, reason: fmt.Sprintf("body: must be at most %d bytes", limit)}
	case err != nil:
		return nil, &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf("read body: %v", err)}
	}
	return body, nil
}

func readJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) *refusal {
	body, refused := readBody(w, r, limit)
	if refused != nil {
		return refused
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf("read body: %v", err)}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a reader that has gone is no fault of ours
}

// baseURL is where the sender reaches this service.
func (t *Trainer) baseURL(r *http.Request) string {
	switch {
	case t.config.BaseURL != "":
		return t.config.BaseURL
	case r.TLS != nil:
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}
