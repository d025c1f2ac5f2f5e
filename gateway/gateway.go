// Package gateway takes metric events over HTTP, for serving code in any language,
// and publishes them to a hub. docs/gateway.md says what a client sees.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
)

// Defaults of Options.
const (
	DefaultMaxBody           = 8 << 20
	DefaultMaxPendingEvents  = 100_000_000
	DefaultMaxPendingDigests = 250_000
	DefaultDurableTimeout    = 30 * time.Second
)

// Options are a gateway's settings; the zero value of each is its default.
type Options struct {
	Logger *slog.Logger // default slog.Default()
	Tokens *Tokens      // who may publish; default anybody
	// MaxBody is how many bytes a request's body has at most, also once it is
	// decompressed. Default DefaultMaxBody.
	MaxBody int64
	// MaxPendingEvents and MaxPendingDigests are how much the hub may hold that is
	// not durable yet; beyond it requests are answered 429. A digest takes some
	// 4 KiB of memory. Defaults DefaultMaxPendingEvents and DefaultMaxPendingDigests.
	MaxPendingEvents, MaxPendingDigests int64
	// DurableTimeout is how long ?durable=true waits. Default DefaultDurableTimeout.
	DurableTimeout time.Duration
	Routes         []Route // further ways in
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxPendingEvents <= 0 {
		o.MaxPendingEvents = DefaultMaxPendingEvents
	}
	if o.MaxPendingDigests <= 0 {
		o.MaxPendingDigests = DefaultMaxPendingDigests
	}
	if o.DurableTimeout <= 0 {
		o.DurableTimeout = DefaultDurableTimeout
	}
	return o
}

// Publish takes one event of the request whose context it is given. Its errors
// are of the event alone: what makes no sense of it, or ErrForbidden.
type Publish func(ctx context.Context, event monitor.MetricEvent) error

// Route is a further way in, for events in another form. It is behind the same
// doors as /v1/events: what its handler sees is authorized, within the limits,
// read whole and decompressed, and the hub has room for it.
type Route struct {
	Path string // such as /v1/metrics; POST is its only method
	New  func(Publish) http.Handler
	// Refuse answers what the doors refuse in the form of the route, after the
	// headers are set. Default the form of /v1/events.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, detail string)
}

// ErrForbidden says that the request's token may not publish to a model.
var ErrForbidden = errors.New("this token may not publish to it")

// Gateway is an http.Handler. It answers 503 until Open, and again from Shut on.
type Gateway struct {
	options Options
	log     *slog.Logger
	mux     *http.ServeMux
	doors   doors
	backlog backlog
	bodies  *bodies
	metrics *metrics
	// accepted counts the events that the hub has taken through this gateway.
	accepted atomic.Int64
}

// New returns a gateway whose doors are shut.
func New(options Options) *Gateway {
	options = options.withDefaults()
	g := &Gateway{
		options: options, log: options.Logger, mux: http.NewServeMux(), metrics: newMetrics(),
		backlog: backlog{maxEvents: options.MaxPendingEvents, maxDigests: options.MaxPendingDigests},
		bodies:  newBodies(options.MaxBody),
	}
	g.doors.shut = errStarting
	g.post("/v1/events", g.prepareEvents, nil)
	for _, route := range options.Routes {
		handler := route.New(g.publish)
		g.post(route.Path, func(*http.Request) (take, *problem) {
			return func(w http.ResponseWriter, r *http.Request, in *intake) { hand(w, r, in, handler) }, nil
		}, route.Refuse)
	}
	g.mux.HandleFunc("GET /v1/openapi.json", serveDocument)
	g.mux.HandleFunc("/v1/openapi.json", onlyMethods("GET, HEAD"))
	g.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("nothing is at %s; /v1/openapi.json says what is where", plain.Cut(r.URL.Path, 100))}.write(w)
	})
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// Open lets requests in to a hub, which stays the caller's to close.
func (g *Gateway) Open(h *hub.Hub) { g.doors.open(h) }

// Shut takes no more: requests are answered 503 from now on. It returns when those
// that were let in before have published, and are at most waiting to be durable,
// or when ctx ends. Then the hub can be closed.
func (g *Gateway) Shut(ctx context.Context) error { return g.doors.close(ctx) }

// Ready says why the gateway takes no events; nil if it does.
func (g *Gateway) Ready() error { return g.doors.ready() }

// intake is one request that was let in.
type intake struct {
	hub   *hub.Hub
	token *token // nil where there are none
	body  []byte // whole and decompressed
	leave func() // tells the doors that nothing is published any more; may be called again
}

type intakeKey struct{}

// publish is the Publish of routes.
func (g *Gateway) publish(ctx context.Context, event monitor.MetricEvent) error {
	in, _ := ctx.Value(intakeKey{}).(*intake)
	if in == nil {
		return errors.New("publish with the context of the request")
	}
	err := in.token.allow(event.ModelName)
	if err == nil {
		err = cause(in.hub.Publish(ctx, event))
	}
	g.count(in.token, err)
	return err
}

// count counts one event.
func (g *Gateway) count(by *token, err error) {
	if err != nil {
		g.metrics.add(by, 0, 1)
		return
	}
	g.accepted.Add(1)
	g.metrics.add(by, 1, 0)
}
