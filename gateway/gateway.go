// Package gateway takes metric events over HTTP, for serving code in any language,
// and publishes them to a hub. docs/gateway.md says what a client sees.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/share"
)

// Defaults of Options.
const (
	DefaultMaxBody          = 8 << 20
	DefaultMaxPendingEvents = 100_000_000
	DefaultMaxPendingBytes  = 128 << 20
	DefaultDurableTimeout   = 30 * time.Second
)

// Options are a gateway's settings; the zero value of each is its default.
type Options struct {
	Logger *slog.Logger // default slog.Default()
	Tokens *Tokens      // who may publish; default anybody
	// Local says that only this machine is meant to reach the gateway: without tokens,
	// requests for any other name than this machine's are refused.
	Local bool
	// MaxBody is how many bytes a request's body has at most, also once it is
	// decompressed. Default DefaultMaxBody.
	MaxBody int64
	// MaxPendingEvents and MaxPendingBytes are how many events, in how much memory,
	// the hub may hold that are not durable yet; beyond it requests are answered 429.
	// A token may have no more of either than is left for others. Defaults
	// DefaultMaxPendingEvents and DefaultMaxPendingBytes.
	MaxPendingEvents, MaxPendingBytes int64
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
	if o.MaxPendingBytes <= 0 {
		o.MaxPendingBytes = DefaultMaxPendingBytes
	}
	if o.DurableTimeout <= 0 {
		o.DurableTimeout = DefaultDurableTimeout
	}

	return o
}

// ErrForbidden says that the request's token may not publish to a model.
var ErrForbidden = errors.New("this token may not publish to it")

// Gateway is an http.Handler. It answers 503 until Open, and again from Shut on.
type Gateway struct {
	options  Options
	log      *slog.Logger
	mux      *http.ServeMux
	doors    doors
	parties  parties
	backlog  backlog
	bodies   *bodies
	requests *share.Pool // that are under way
	gate     gate
	metrics  *metrics
}

// maxRequests bounds the requests under way, of which each holds a connection and
// some 25 KiB.
const maxRequests = 2048

// New returns a gateway whose doors are shut.
func New(options Options) *Gateway {
	options = options.withDefaults()
	g := &Gateway{
		options: options, log: options.Logger, mux: http.NewServeMux(), metrics: newMetrics(),
		backlog: backlog{maxEvents: options.MaxPendingEvents, maxBytes: options.MaxPendingBytes},
		bodies:  newBodies(options.MaxBody), requests: share.New(maxRequests),
	}
	g.doors.shut = errStarting
	if options.Tokens != nil {
		g.metrics.watchTokens(options.Tokens)
	}
	g.post("/v1/events", g.prepareEvents, nil)
	for _, route := range options.Routes {
		handler := route.New(Publisher{g})
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
	hub    *hub.Hub
	party  *party
	token  *token // nil where there are none
	body   []byte // whole and decompressed
	memory *memory
	leave  func() // tells the doors that nothing is published any more; may be called again
	// rest leaves, and gives back the body, its memory and the place at the gate: what
	// is left to do is to wait, and nobody needs to wait for that. May be called again.
	rest func()
}

// ErrNotNow is the kind of every error about an event that there is nothing wrong with:
// there is no room for it, or the gateway stops. It may be taken when it is sent again.
var ErrNotNow = errors.New("not now, send it again later")

// admits says whether the token may publish to a model and there is room.
func (in *intake) admits(g *Gateway, model string) error {
	if err := in.token.allow(model); err != nil {
		return err
	}
	if err := g.backlog.room(in.hub, in.party, overrun); err != nil {
		return fmt.Errorf("%w: %w", ErrNotNow, err)
	}
	return nil
}
