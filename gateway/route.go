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

// Publisher takes the events of a route's requests, each with its request's context. Its
// errors are what makes no sense of an event, ErrForbidden, or ErrNotNow, which is not of the
// event: it should be sent again. That the hub has no room for a further model, or for
// a further version of one, is an error of the event: that may take hours to change.
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

// Check says why an event would be refused, and publishes nothing.
func (p Publisher) Check(ctx context.Context, event *metric.Event) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errNoRequest
	}

	if err := event.Validate(time.Now()); err != nil { // first of all it bounds the names
		return err
	}
	return in.admits(p.gateway, event.ModelName)
}

// Publish hands an event to the hub. It does not ask for room, which Check does: so
// many readings that belong together, and take the room of one, are published whole.
func (p Publisher) Publish(ctx context.Context, event metric.Event) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errNoRequest
	}
	err := in.token.allow(event.ModelName)
	if err == nil {
		err = cause(in.party.account.Publish(ctx, event))
	}
	if err != nil {
		return err
	}

	in.party.accepted.Add(1)
	p.gateway.metrics.add(in.token, 1, 0)
	return nil
}

// Rejected counts events of a request that were not published, whoever refused them.
func (p Publisher) Rejected(ctx context.Context, events int64) {
	if in, _ := ctx.Value(intakeKey{}).(*intake); in != nil {
		p.gateway.metrics.add(in.token, 0, events)
	}
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
