package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Route is a further way in, for events in another form. It is behind the same
// doors as /v1/events: what its handler sees is authorized, within the limits,
// read whole and decompressed, and the hub has room for it.
type Route struct {
	Path string // such as /v1/metrics; POST is its only method
	New  func(Publisher) http.Handler
	// Refuse answers what the doors refuse in the form of the route, after the
	// headers are set. Default the form of /v1/events.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, detail string)
}

// Publisher takes the events of a route's requests, each with its request's context.
// Its errors are of the event alone: what makes no sense of it, or ErrForbidden.
type Publisher struct{ gateway *Gateway }

type intakeKey struct{}

var errNoRequest = errors.New("publish with the context of the request")

// hand gives a route's handler a request as if it had been sent whole and plain.
func hand(w http.ResponseWriter, r *http.Request, in *intake, handler http.Handler) {
	plain := r.WithContext(context.WithValue(r.Context(), intakeKey{}, in))
	plain.Header = r.Header.Clone()
	plain.Header.Del("Content-Encoding")
	plain.Body = io.NopCloser(bytes.NewReader(in.body))
	plain.ContentLength = int64(len(in.body))
	handler.ServeHTTP(w, plain)
}

// Sender names the token of a request; it is empty where there are no tokens.
func (p Publisher) Sender(ctx context.Context) string {
	if in, _ := ctx.Value(intakeKey{}).(*intake); in != nil {
		return in.token.label()
	}
	return ""
}

// Check says why an event would be refused, and publishes nothing. What it refuses is
// counted as rejected.
func (p Publisher) Check(ctx context.Context, event *metric.Event) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errNoRequest
	}

	err := event.Validate(time.Now()) // first of all it bounds the names
	if err == nil {
		err = in.token.allow(event.ModelName)
	}
	if err != nil {
		p.gateway.count(in, err)
	}
	return err
}

// Publish hands an event to the hub.
func (p Publisher) Publish(ctx context.Context, event metric.Event) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errNoRequest
	}
	err := in.admits(p.gateway, event.ModelName)
	if err == nil {
		err = cause(in.party.account.Publish(ctx, event))
	}
	p.gateway.count(in, err)
	return err
}

// Reserve takes so many bytes of memory for what a request's body becomes once it is
// decoded, until it is answered. It fails where there is no room for it.
func (p Publisher) Reserve(ctx context.Context, bytes int64) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errNoRequest
	}
	if !in.memory.take(bytes) {
		return p.gateway.bodies.noRoom(in.memory.taken + bytes)
	}
	return nil
}

// count counts one event.
func (g *Gateway) count(in *intake, err error) {
	if err != nil {
		g.metrics.add(in.token, 0, 1)
		return
	}
	in.party.accepted.Add(1)
	g.metrics.add(in.token, 1, 0)
}
