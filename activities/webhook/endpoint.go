package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/modelvigil/modelvigil/internal/httpclient"
	"github.com/modelvigil/modelvigil/modelops"
)

// defaultTimeout bounds one attempt, from connecting to the last byte of the
// answer. Standard Webhooks recommends 15 to 30 s.
const defaultTimeout = 30 * time.Second

// Config says where requests go.
type Config struct {
	// URL is where requests are posted: absolute, http or https, without a user
	// name or password. Its query is sent, and never shown.
	URL string
	// Secret signs requests: `whsec_` and the base64 of 24 to 64 random bytes.
	// Empty means that requests are not signed.
	Secret string
	// StatusOrigins are those that a status_url may be at besides URL's own: scheme,
	// host and port, such as https://jobs.example.com. Any other is not asked.
	StatusOrigins []string
	// Timeout of one attempt; zero means 30 s.
	Timeout time.Duration
	// Transport carries requests; nil means one of the backend's own, which
	// verifies certificates and heeds HTTPS_PROXY and its kin.
	Transport http.RoundTripper
	// Logger is told of answers that accept a request but can't be used
	// otherwise; nil means slog.Default().
	Logger *slog.Logger
}

// Endpoint takes CloudEvents, signed where there is a secret. It is safe for
// concurrent use.
type Endpoint struct {
	url           *url.URL
	statusOrigins []string
	signer        *standardwebhooks.Webhook // nil: requests are not signed
	client        *http.Client
}

// NewEndpoint returns an endpoint, or an error that names every fault of the
// configuration and never its secrets. The logger isn't used.
func NewEndpoint(config Config) (*Endpoint, error) {
	var faults []error
	address, err := parseURL(config.URL)
	if err != nil {
		faults = append(faults, fmt.Errorf("url: %w", err))
	}
	var signer *standardwebhooks.Webhook
	if config.Secret != "" {
		signer, err = parseSecret(config.Secret)
		if err != nil {
			faults = append(faults, fmt.Errorf("secret: %w", err))
		}
	}

	origins, err := parseOrigins(config.StatusOrigins)
	if err != nil {
		faults = append(faults, fmt.Errorf("status_origins: %w", err))
	}
	if config.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: must not be negative, got %v", config.Timeout))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	transport := config.Transport
	if transport == nil {
		transport = httpclient.NewTransport()
	}
	return &Endpoint{
		url: address, statusOrigins: origins, signer: signer,
		client: &http.Client{
			Transport: transport, CheckRedirect: followWithin,
			Timeout: cmp.Or(config.Timeout, defaultTimeout),
		},
	}, nil
}

// Close closes the connections that are kept open between requests.
func (e *Endpoint) Close() { e.client.CloseIdleConnections() }

// Deliver posts an event of any type. It is signed, accepted and refused as a
// retraining request is: 2xx and 409 accept.
func (e *Endpoint) Deliver(ctx context.Context, id string, event any) error {
	_, err := e.post(ctx, id, event)
	return err
}

// post returns the answer that accepts an event.
func (e *Endpoint) post(ctx context.Context, id string, event any) (*answer, error) {
	encoded, err := json.Marshal(event)
	if err != nil {
		return nil, modelops.Final(fmt.Errorf("encode the event: %w", err))
	}
	answer, err := e.exchange(ctx, http.MethodPost, e.url, id, encoded)
	if err != nil {
		return nil, err
	}
	if !answer.ok() && answer.status != http.StatusConflict {
		return nil, answer.refusal()
	}

	return answer, nil
}
