// Package trainer is a small training service as a house may have one: it takes
// retraining requests by signed webhook, fits a model on the labelled samples
// that serving sends it, and offers the newest model for download.
//
//	POST /retrainings        a CloudEvent of type ai.modelvigil.retraining.requested
//	GET  /retrainings/{job}  what became of it
//	POST /samples            labelled samples, a JSON array
//	GET  /models/latest      the newest model, with an ETag
//
// All it knows is in memory, bounded, and gone with it. Only POST /retrainings is
// signed; whoever else can reach the service can send samples and read models, so
// it belongs on a loopback address or behind a gateway.
package trainer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
)

// Defaults of a Config.
const (
	defaultFreshSamples = 1_500
	defaultCapacity     = 10_000
)

const (
	secretPrefix = "whsec_"
	// minKeyBytes and maxKeyBytes bound a signing key, as the Standard Webhooks
	// specification does.
	minKeyBytes = 24
	maxKeyBytes = 64
	// maxCapacity bounds the samples held; one of three inputs takes 56 bytes.
	maxCapacity = 1_000_000
)

// Config says what a Trainer trains, and how. The zero Config takes unsigned
// requests for any model and has no model to begin with.
type Config struct {
	// ModelName is the model trained here; a request for another one is refused.
	// Empty means that every request is for it.
	ModelName string
	// Secret is the key that requests are signed with, as the Standard Webhooks
	// specification has it: whsec_ and the base64 of 24 to 64 bytes. Empty means
	// that requests need no signature.
	Secret string
	// Initial are the samples that the first model, v1, is fitted on; without them
	// there is no model until a retraining has made one. They also are the first
	// samples held.
	Initial []stream.Sample
	// FreshSamples is how many samples must have come since a request before its
	// model is fitted, on those alone: just after an abrupt drift, what was held
	// before is mostly of the old concept. 0 means 1,500; at most
	// Capacity.
	FreshSamples int
	// LateSamples is how many samples that come after a request were predicted before
	// it, since their labels come late; they are no fresh ones. 0 or more.
	LateSamples int
	// Capacity is how many samples are held, the newest; 0 means 10,000.
	Capacity int
	// Fit are the learner's options; its Version is overwritten.
	Fit learner.Options
	// BaseURL is where this service is reached, without a slash at the end; it
	// begins a job's status_url. Empty means what the request was sent to.
	BaseURL string
	// Logger takes what happens; nil means slog.Default.
	Logger *slog.Logger
}

// Trainer is the service, an http.Handler. It must be closed.
type Trainer struct {
	config  Config
	webhook *standardwebhooks.Webhook // nil where no signature is asked for
	log     *slog.Logger
	mux     *http.ServeMux

	closing chan struct{}  // closed by Close
	running sync.WaitGroup // the jobs' goroutines
	fitting sync.Mutex     // held through a fit, so that versions follow one another

	mu        sync.Mutex // guards what follows
	closed    bool
	samples   ring
	jobs      map[string]*job // by id
	jobOrder  []string        // ids, oldest first
	unfitted  int             // jobs that are running
	current   *learner.Model  // nil before the first; never changed once published
	published published
	versions  int // models published so far
}

// published is the current model as it is downloaded.
type published struct {
	body []byte
	etag string
}

// New returns a Trainer that serves at once, or an error that names every fault
// of the Config.
func New(config Config) (*Trainer, error) {
	if config.FreshSamples == 0 {
		config.FreshSamples = defaultFreshSamples
	}
	if config.Capacity == 0 {
		config.Capacity = defaultCapacity
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	t := &Trainer{config: config, log: config.Logger, closing: make(chan struct{}), jobs: map[string]*job{}}
	if err := errors.Join(config.validate(), t.setSecret(config.Secret)); err != nil {
		return nil, fmt.Errorf("trainer: %w", err)
	}

	t.samples = newRing(config.Capacity)
	if len(config.Initial) > 0 {
		if _, err := t.fit(config.Initial); err != nil {
			return nil, fmt.Errorf("trainer: initial: %w", err)
		}
		t.samples.add(config.Initial)
	}

	t.config.Initial = nil

	t.mux = http.NewServeMux()
	t.mux.HandleFunc("POST /retrainings", t.requestRetraining)
	t.mux.HandleFunc("GET /retrainings/{job}", t.showRetraining)
	t.mux.HandleFunc("POST /samples", t.takeSamples)
	t.mux.HandleFunc("GET /models/latest", t.serveModel)
	return t, nil
}

// ServeHTTP answers one request; it is safe for concurrent use.
func (t *Trainer) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.mux.ServeHTTP(w, r) }

// Model returns the current model, nil before the first. It must not be changed.
func (t *Trainer) Model() *learner.Model {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

// Close fails the retrainings that still wait for samples, lets a fit under way
// end, and returns when nothing runs any more; the context's error if it ends
// first. Retrainings are refused from then on, all else is still answered. Close
// may be called again.
func (t *Trainer) Close(ctx context.Context) error {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.closing)
	}

	t.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.running.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close trainer while a model is fitted: %w", ctx.Err())
	}
}

func (c Config) validate() error {
	var faults []error
	if c.Capacity < 1 || c.Capacity > maxCapacity {
		faults = append(faults, fmt.Errorf("capacity: must be in 1 to %d samples, got %d", maxCapacity, c.Capacity))
	}
	if c.FreshSamples < 1 || c.FreshSamples > c.Capacity {
		faults = append(faults, fmt.Errorf("fresh_samples: must be in 1 to the capacity of %d, got %d", c.Capacity, c.FreshSamples))
	}
	if c.LateSamples < 0 {
		faults = append(faults, fmt.Errorf("late_samples: must not be below 0, got %d", c.LateSamples))
	}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || strings.HasSuffix(c.BaseURL, "/") {
			faults = append(faults, fmt.Errorf("base_url: must be like https://host/path without a slash at the end, got %q", c.BaseURL))
		}
	}

	return errors.Join(faults...)
}

// setSecret never puts the secret into an error. The library takes a key of any
// length, even none, so that the length is checked here.
func (t *Trainer) setSecret(secret string) error {
	if secret == "" {
		return nil
	}

	encoded, prefixed := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil {
		return fmt.Errorf("secret: must be %s and base64", secretPrefix)
	}
	if len(key) < minKeyBytes || len(key) > maxKeyBytes {
		return fmt.Errorf("secret: must be of %d to %d bytes, got %d", minKeyBytes, maxKeyBytes, len(key))
	}

	t.webhook, err = standardwebhooks.NewWebhookRaw(key)
	return err
}

// fit makes the samples into the next version and publishes it.
func (t *Trainer) fit(samples []stream.Sample) (*learner.Model, error) {
	t.fitting.Lock()
	defer t.fitting.Unlock()

	options := t.config.Fit
	t.mu.Lock()
	options.Version = fmt.Sprintf("v%d", t.versions+1)
	t.mu.Unlock()
	model, err := learner.Fit(samples, options)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("encode model %s: %w", model.Version, err)
	}

	sum := sha256.Sum256(body)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.versions++
	t.current = model
	// The sum tells this v1 from the v1 of an earlier process.
	t.published = published{body: body, etag: fmt.Sprintf("%q", model.Version+"-"+hex.EncodeToString(sum[:8]))}
	return model, nil
}
