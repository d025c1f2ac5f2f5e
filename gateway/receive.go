package gateway

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// drainTimeout bounds how long the rest of a body is read that is of no use.
const drainTimeout = 2 * time.Second

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
		start, w := time.Now(), &reply{ResponseWriter: writer}
		defer func() { g.metrics.answered(path, w, time.Since(start)) }()
		if r.Method != http.MethodPost {
			other(w, r)
			return
		}

		if refused := g.receive(w, r, prepare); refused != nil {
			g.log.Debug("request refused", "path", path, "status", refused.Status, "detail", refused.Detail)
			if refused.Status != http.StatusRequestTimeout { // it was waited for in vain
				drain(w, r, 4*g.options.MaxBody)
			}
			if refuse != nil {
				maps.Copy(w.Header(), refused.header)
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
func (g *Gateway) receive(w *reply, r *http.Request, prepare prepare) *problem {
	by, refused := g.authorize(r)
	if refused != nil {
		return refused
	}

	w.by = by
	return g.admit(w, r, by, prepare)
}

// admit takes in the request of a token.
func (g *Gateway) admit(w http.ResponseWriter, r *http.Request, by *token, prepare prepare) *problem {
	take, refused := prepare(r)
	if refused != nil {
		return refused
	}
	packed, refused := isPacked(r)
	if refused != nil {
		return refused
	}
	if !g.requests.Take(by.label(), 1) {
		return notNow(http.StatusTooManyRequests, "too many requests of this token are under way; nothing was accepted, try again")
	}

	defer g.requests.Give(by.label(), 1)
	in, refused := g.enter(by) // rather refused now than after megabytes
	if refused != nil {
		return refused
	}

	in.leave()

	memory := &memory{bodies: g.bodies, party: by.label()}
	defer memory.free()
	body, refused := g.bodies.read(w, r, memory)
	if refused != nil {
		return refused
	}
	done, err := g.gate.enter(r.Context(), by.label())
	if err != nil {
		return closedEarly()
	}

	rest := sync.OnceFunc(func() {
		in.leave()
		g.bodies.release(memory, body)
		memory.free()
		done()
	})
	defer rest()
	if packed {
		sent := body
		body, refused = g.bodies.unpack(sent, memory)
		if refused != nil {
			return refused
		}
		g.bodies.release(memory, sent)
	}

	g.metrics.bodyBytes.Add(float64(len(body)))
	if r.Context().Err() != nil {
		return closedEarly()
	}
	again, refused := g.enter(by)
	if refused != nil {
		return refused
	}

	in = again
	in.body = body
	in.memory = memory
	in.rest = rest
	take(w, r, in)
	return nil
}

// enter goes through the doors if they are open and the hub has room for more of a
// token.
func (g *Gateway) enter(by *token) (in *intake, refused *problem) {
	h, leave, err := g.doors.enter()
	if err != nil {
		refused = notNow(http.StatusServiceUnavailable, "%v; nothing was accepted, try again", err)
		refused.header = http.Header{"Connection": {"close"}} // the next attempt may find another gateway
		return nil, refused
	}
	from := g.parties.of(h, by.label())
	if err := g.backlog.check(h, from, &g.parties, time.Now()); err != nil {
		leave()
		return nil, notNow(http.StatusTooManyRequests, "%v; nothing was accepted, try again", err)
	}

	return &intake{hub: h, party: from, token: by, leave: leave}, nil
}

// authorize finds who sends.
func (g *Gateway) authorize(r *http.Request) (*token, *problem) {
	if g.options.Tokens == nil {
		return nil, g.fromBrowser(r)
	}
	by, err := g.options.Tokens.find(r.Header.Values("Authorization"))
	if err == nil {
		return by, nil
	}
	return nil, &problem{
		Status: http.StatusUnauthorized, Detail: err.Error(), header: http.Header{"Www-Authenticate": {`Bearer realm="modelvigil"`}},
	}
}

// fromBrowser refuses what a page in somebody's browser sends, where nobody has to
// show a token: the browser stands within the network, the page comes from anywhere.
func (g *Gateway) fromBrowser(r *http.Request) *problem {
	if origin := r.Header.Get("Origin"); origin != "" {
		return &problem{Status: http.StatusForbidden, Detail: fmt.Sprintf("pages of browsers may not publish without a token, got one of %q; nothing was accepted", plain.Cut(origin, 100))}
	}

	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if g.options.Local && host != "localhost" && !net.ParseIP(strings.Trim(host, "[]")).IsLoopback() {
		return &problem{
			Status: http.StatusForbidden,
			Detail: fmt.Sprintf("Host: must be localhost or 127.0.0.1, got %q; set GATEWAY_TOKENS_FILE or GATEWAY_ALLOW_ANONYMOUS=true where it is reached by another name; nothing was accepted", plain.Cut(r.Host, 100)),
		}
	}

	return nil
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

// closedEarly is the answer to a client that has closed the connection before anything was
// taken. Who closed it for writing alone may well read it.
func closedEarly() *problem {
	return notNow(http.StatusServiceUnavailable, "the connection was closed too early; nothing was accepted, keep it open until there is an answer")
}

func notNow(status int, format string, args ...any) *problem {
	return &problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}
