package airflow

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.opentelemetry.io/otel/propagation"

	"github.com/modelvigil/modelvigil/internal/httpclient"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// maxAnswerBytes bounds what is read of an answer, task logs apart. The largest
// that is asked for, 100 task instances, takes about 150 KiB.
const maxAnswerBytes = 1 << 20

// maxVersionBytes is how much of Airflow's version an error shows.
const maxVersionBytes = 40

// connection is an Airflow as one user.
type connection struct {
	base        *url.URL
	client      *http.Client
	credentials credentials
}

func newConnection(base *url.URL, config Config) *connection {
	transport := config.Transport
	if transport == nil {
		transport = httpclient.NewTransport()
	}
	return &connection{
		base: base,
		client: &http.Client{
			Transport: transport, Timeout: cmp.Or(config.Timeout, defaultTimeout),
			// A redirect leads to another server, or to a page where people log in.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		credentials: newCredentials(config),
	}
}

// call sends one request as the user and decodes its answer; body and into may be
// nil. An answer that is not of success is a *refusal.
func (c *connection) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	response, err := c.open(ctx, method, path, query, body, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return decode(response, method+" "+path, into)
}

// open sends one request as the user. Where Airflow doesn't take the token any more,
// because it has expired or the server has another key since it was restarted, there
// is one more try with a new one. An answer that is not of success is a *refusal;
// the body of any other is the caller's to close.
func (c *connection) open(ctx context.Context, method, path string, query url.Values, body any, accept string) (*http.Response, error) {
	token, isNew, err := c.token(ctx, "")
	if err != nil {
		return nil, err
	}

	response, err := c.send(ctx, method, path, query, body, accept, token)
	refused := statusOf(err) == http.StatusUnauthorized || statusOf(err) == http.StatusForbidden
	if !refused || isNew || !c.credentials.canLogin() {
		return response, err
	}
	token, _, err = c.token(ctx, token)
	if err != nil {
		return nil, err
	}

	return c.send(ctx, method, path, query, body, accept, token)
}

// send sends one request with a token, or without.
func (c *connection) send(ctx context.Context, method, path string, query url.Values, body any, accept, token string) (*http.Response, error) {
	call := method + " " + path
	var encoded []byte
	if body != nil {
		var err error
		encoded, err = json.Marshal(body)
		if err != nil {
			return nil, modelops.Final(fmt.Errorf("%s: encode the request: %w", call, err))
		}
	}

	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call, httpclient.WithoutURL(err))
	}

	request.Header.Set("Accept", accept)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header)) // nothing, unless ctx is traced
	request.Header.Set("User-Agent", httpclient.UserAgent)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: no answer: %w", call, httpclient.WithoutURL(err))
	}
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return response, nil
	}

	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes)) // what there is of it explains the status
	return nil, c.explained(ctx, c.refusal(call, response, text))
}

// explained is a refusal that says who has refused, should it not be Airflow 3.
func (c *connection) explained(ctx context.Context, refused error) error {
	foreign := (*refusal)(nil)
	if !errors.As(refused, &foreign) || !foreign.isForeign {
		return refused
	}

	version := c.olderVersion(ctx)
	if version == "" {
		return fmt.Errorf("%w (not from Airflow; is the url in the backend's settings its web address?)", refused)
	}
	return modelops.Final(fmt.Errorf("%w; it is Airflow %s, and the backend speaks the REST API v2 of Airflow 3: "+
		"upgrade it, or let a webhook start its DAG", refused, plain.Excerpt(version, maxVersionBytes)))
}

// olderVersion is the version of an Airflow that has the REST API v1, which Airflow 3
// has no more; empty where there is none. It tells it to anybody, so no token is sent.
func (c *connection) olderVersion(ctx context.Context) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("/api/v1/version").String(), nil)
	if err != nil {
		return ""
	}

	request.Header.Set("User-Agent", httpclient.UserAgent)
	response, err := c.client.Do(request)
	if err != nil {
		return ""
	}

	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Version string `json:"version"`
	}
	if response.StatusCode != http.StatusOK || decode(response, "", &answer) != nil {
		return ""
	}

	return answer.Version
}

// decode reads an answer of success.
func decode(response *http.Response, call string, into any) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: the answer broke off: %w", call, err)
	case len(text) > maxAnswerBytes:
		return fmt.Errorf("%s: the answer is larger than %d KiB", call, maxAnswerBytes>>10)
	case into == nil:
		return nil
	}

	if err := json.Unmarshal(text, into); err != nil || !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return fmt.Errorf("%s: %d with an answer that is not as Airflow 3 gives it, but %q; "+
			"is the url in the backend's settings Airflow's web address?", call, response.StatusCode, plain.Excerpt(string(text), maxExcerptBytes))
	}

	return nil
}

// parseURL reads Airflow's web address. Its errors tell nothing that may be secret
// in one.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("is missing; must be Airflow's web address, an absolute http or https URL")
	case err != nil:
		return nil, errors.New("must be an absolute http or https URL, got one that can't be parsed")
	}

	var faults []error
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		faults = append(faults, errors.New("must be an absolute http or https URL, such as https://airflow.example"))
	}
	if u.User != nil {
		faults = append(faults, errors.New("must not hold a user name or password; set username and password instead"))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, errors.New("must hold no query and no fragment"))
	}
	if clean := path.Clean("/" + u.Path); strings.HasSuffix(clean, "/api/v2") || strings.HasSuffix(clean, "/api/v1") {
		faults = append(faults, errors.New("must end before /api/v2"))
	}
	return u, errors.Join(faults...)
}
