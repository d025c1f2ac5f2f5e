package scrape

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// prometheus asks a server.
type prometheus struct {
	api     v1.API
	server  Server
	timeout time.Duration
}

func connect(s Server) (*prometheus, error) {
	client, err := api.NewClient(api.Config{Address: s.Address, RoundTripper: authorized{s, http.DefaultTransport}})
	if err != nil {
		return nil, fmt.Errorf("prometheus.address: %w", err)
	}
	return &prometheus{v1.NewAPI(client), s, time.Duration(s.Timeout)}, nil
}

// authorized adds what the server asks for to each request.
type authorized struct {
	server Server
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case a.server.BearerToken != nil:
		token, err := a.server.BearerToken.value()
		if err != nil {
			return nil, fmt.Errorf("bearer_token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case a.server.BasicAuth != nil:
		password, err := a.server.BasicAuth.Password.value()
		if err != nil {
			return nil, fmt.Errorf("basic_auth.password: %w", err)
		}
		r.SetBasicAuth(a.server.BasicAuth.Username, password)
	}

	for name, header := range a.server.Headers {
		value, err := header.value()
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		r.Header.Set(name, value)
	}

	return a.next.RoundTrip(r)
}

// ask runs one query as of a time.
func (p *prometheus) ask(ctx context.Context, query string, at time.Time) (model.Value, v1.Warnings, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	value, warnings, _, err := p.api.Query(ctx, query, at)
	if err != nil {
		return nil, warnings, fmt.Errorf("ask Prometheus at %s for %s: %w%s", p.server.Address, query, err, wordsOf(err))
	}
	return value, warnings, nil
}

// wordsOf are what the server itself has said of an error, which the client leaves out.
func wordsOf(err error) string {
	const most = 200
	var answer *v1.Error
	if !errors.As(err, &answer) || strings.TrimSpace(answer.Detail) == "" {
		return ""
	}
	return ": " + plain.Excerpt(strings.Join(strings.Fields(answer.Detail), " "), most)
}

// passes says whether an error may pass by itself: nobody answers, or a server
// that is overloaded. A query that is wrong, or may not be asked, stays so.
func passes(err error) bool {
	var answer *v1.Error
	if errors.As(err, &answer) {
		return answer.Type == v1.ErrServer || answer.Type == v1.ErrTimeout ||
			answer.Msg == fmt.Sprintf("client error: %d", http.StatusTooManyRequests)
	}
	var network *url.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded)
}
