package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/modelvigil/modelvigil/hub"
)

const (
	// retryAfter is what a client is told to wait, in seconds, when there is no room
	// or nobody at home: longer than a hub's pace while healthy takes to send.
	retryAfter = 5
	// drainTimeout bounds how long the rest of a body is read that is of no use.
	drainTimeout = 2 * time.Second
)

type (
	// take serves a request that was let in.
	take func(http.ResponseWriter, *http.Request, *intake)
	// prepare looks at a request before its body is read.
	prepare func(*http.Request) (take, *problem)
)

// post serves POST at a path. refuse, where it is given, answers what is refused.
func (g *Gateway) post(path string, prepare prepare, refuse func(http.ResponseWriter, *http.Request, int, string)) {
	other := onlyMethods(http.MethodPost)
	g.mux.HandleFunc(path, func(writer http.ResponseWriter, r *http.Request) {
		start, w := time.Now(), &statusWriter{ResponseWriter: writer}
		defer func() { g.metrics.answered(path, w.code(), time.Since(start)) }()
		if r.Method != http.MethodPost {
			other(w, r)
			return
		}
		if refused := g.receive(w, r, prepare); refused != nil {
			g.log.Debug("request refused", "path", path, "status", refused.Status, "detail", refused.Detail)
			drain(w, r, 4*g.options.MaxBody)
			if refuse != nil {
				refused.writeHeader(w)
				refuse(w, r, refused.Status, refused.Detail)
				return
			}
			refused.outcome = newOutcome()
			refused.write(w)
		}
	})
}

// receive lets a request in: it is authorized, the hub has room, and its body is
// read whole before anything of it is published.
func (g *Gateway) receive(w http.ResponseWriter, r *http.Request, prepare prepare) *problem {
	by, refused := g.authorize(r)
	if refused != nil {
		return refused
	}
	take, refused := prepare(r)
	if refused != nil {
		return refused
	}
	_, leave, refused := g.enter() // rather refused now than after megabytes
	if refused != nil {
		return refused
	}
	leave()
	body, refused := g.bodies.read(w, r)
	if refused != nil {
		return refused
	}
	defer g.bodies.free(body)
	g.metrics.bodyBytes.Add(float64(len(body.bytes)))
	h, leave, refused := g.enter()
	if refused != nil {
		return refused
	}
	defer leave()
	take(w, r, &intake{hub: h, token: by, body: body.bytes, leave: leave})
	return nil
}

// enter goes through the doors if they are open and the hub has room.
func (g *Gateway) enter() (h *hub.Hub, leave func(), refused *problem) {
	h, leave, err := g.doors.enter()
	if err != nil {
		refused = notNow(http.StatusServiceUnavailable, "%v; nothing was accepted, try again", err)
		refused.header = http.Header{"Connection": {"close"}} // the next attempt may find another gateway
		return nil, nil, refused
	}
	if err := g.backlog.check(h, g.accepted.Load(), time.Now()); err != nil {
		leave()
		return nil, nil, notNow(http.StatusTooManyRequests, "%v; nothing was accepted, try again", err)
	}
	return h, leave, nil
}

// hand gives a route's handler a request as if it had been sent whole and plain.
func hand(w http.ResponseWriter, r *http.Request, in *intake, handler http.Handler) {
	plain := r.WithContext(context.WithValue(r.Context(), intakeKey{}, in))
	plain.Header = r.Header.Clone()
	plain.Header.Del("Content-Encoding")
	plain.Body, plain.ContentLength = io.NopCloser(bytes.NewReader(in.body)), int64(len(in.body))
	handler.ServeHTTP(w, plain)
}

// authorize finds who sends.
func (g *Gateway) authorize(r *http.Request) (*token, *problem) {
	if g.options.Tokens == nil {
		return nil, nil
	}
	by, err := g.options.Tokens.find(r.Header.Values("Authorization"))
	if err == nil {
		return by, nil
	}
	return nil, &problem{
		Status: http.StatusUnauthorized, Detail: err.Error(), header: http.Header{"Www-Authenticate": {`Bearer realm="modelvigil"`}},
	}
}

// drain reads the rest of a body that is of no use: clients that send all of it
// before they read would see a broken connection instead of the answer. Those that
// ask first, and those of HTTP/2, need no such help.
func drain(w http.ResponseWriter, r *http.Request, atMost int64) {
	if r.Header.Get("Expect") != "" || r.ProtoMajor > 1 {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTimeout))
	_, _ = io.CopyN(io.Discard, r.Body, atMost)
}

func notNow(status int, format string, args ...any) *problem {
	return &problem{Status: status, Detail: fmt.Sprintf(format, args...), retryAfter: retryAfter}
}
