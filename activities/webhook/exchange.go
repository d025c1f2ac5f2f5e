package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/propagation"

	"github.com/modelvigil/modelvigil/internal/cloudevent"
	"github.com/modelvigil/modelvigil/internal/httpclient"
)

const (
	// maxAnswerBytes bounds what is read of an answer's body.
	maxAnswerBytes = 64 << 10
	// maxRedirects within one attempt; an endpoint that moved within itself needs one.
	maxRedirects = 5
)

// exchange sends one request and reads its answer, whatever its status. An
// error means that there is none.
func (e *Endpoint) exchange(ctx context.Context, method string, target *url.URL, requestID string, body []byte) (*answer, error) {
	call := method + " " + e.shownAt(target)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call, httpclient.WithoutURL(err))
	}

	request.Header.Set("Accept", "application/json")
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header)) // nothing, unless ctx is traced
	request.Header.Set("User-Agent", httpclient.UserAgent)
	if body != nil {
		request.Header.Set("Content-Type", cloudevent.ContentType)
	}
	if e.signer != nil && origin(target) == origin(e.url) {
		if err := e.sign(request.Header, requestID, body); err != nil {
			return nil, fmt.Errorf("%s: %w", call, err)
		}
	}

	response, err := e.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: no answer: %w", call, httpclient.WithoutURL(err))
	}

	defer func() { _ = response.Body.Close() }()
	a := &answer{call: call, from: response.Request.URL, status: response.StatusCode, header: response.Header}
	a.body, a.cutOff = readAnswer(response.Body)
	return a, nil
}

// readAnswer returns the body, and what kept it from being read to its end.
func readAnswer(body io.Reader) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return read, fmt.Errorf("the answer broke off: %w", err)
	case len(read) > maxAnswerBytes:
		return read[:maxAnswerBytes], fmt.Errorf("the answer is larger than %d KiB", maxAnswerBytes>>10)
	}
	return read, nil
}

// followWithin is an http.Client's CheckRedirect. It follows what repeats the
// same request at the same origin; any other redirect is an answer like others.
func followWithin(next *http.Request, via []*http.Request) error {
	repeats := next.Response.StatusCode == http.StatusTemporaryRedirect || next.Response.StatusCode == http.StatusPermanentRedirect
	if repeats && len(via) <= maxRedirects && next.URL.User == nil && origin(next.URL) == origin(via[0].URL) {
		return nil
	}
	return http.ErrUseLastResponse
}

// parseURL reads a URL that requests can be sent to. Its errors tell nothing
// that may be secret in one.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("is missing; must be an absolute http or https URL")
	case strings.Contains(text, secretPrefix):
		return nil, errors.New("must be an absolute http or https URL, got what looks like a secret")
	case err != nil && strings.ContainsAny(text, "@?"):
		return nil, errors.New("must be an absolute http or https URL, got one that can't be parsed")
	case err != nil:
		return nil, fmt.Errorf("must be an absolute http or https URL, got %q", text)
	}

	return u, checkURL(u)
}

func checkURL(u *url.URL) error {
	var faults []error
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		faults = append(faults, fmt.Errorf("must be an absolute http or https URL, got %q", shown(u)))
	}
	if u.User != nil {
		faults = append(faults, errors.New("must not hold a user name or password; requests are authenticated by their signature"))
	}
	return errors.Join(faults...)
}

// shown is a URL as errors show it: without what may be secret in it.
func shown(u *url.URL) string {
	visible := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery != "" {
		return visible.String() + "?…"
	}
	return visible.String()
}
