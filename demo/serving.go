package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
)

// Window is what the serving process measured of one window of predictions, one
// line of JSON on its standard output.
type Window struct {
	Number   int       `json:"number"`
	At       time.Time `json:"at"`
	Concept  int       `json:"concept"` // at the window's end; for the summary, nobody learns from it
	Version  string    `json:"version"`
	Accuracy float64   `json:"accuracy"`
	Static   float64   `json:"static"` // the first model's, on the same window
	Drift    float64   `json:"drift"`
}

// ServeOptions are the serving process's settings.
type ServeOptions struct {
	Client  client.Client
	Trainer string // its URL
	Initial string // path of the training set: the reference that drift is measured from
	Seed    uint64
	Queue   string
}

// Serve predicts the stream window by window, publishes what it measures through
// a Hub, sends the labelled samples to the trainer and swaps to its newest model.
func Serve(ctx context.Context, o ServeOptions, out io.Writer) error {
	training, err := readTrainingSet(o.Initial)
	if err != nil {
		return err
	}
	reference, err := learner.NewReference(training)
	if err != nil {
		return err
	}

	sea, err := newSea(o.Seed)
	if err != nil {
		return err
	}

	sea.Take(trainingSamples) // the training set was taken from its beginning
	models := &modelStore{url: o.Trainer + "/models/latest"}
	if err := models.waitForFirst(ctx); err != nil {
		return err
	}

	static := models.current

	h := hub.New(o.Client, hub.Options{TaskQueue: o.Queue})
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		_ = h.Close(closing) // the demo is over; nobody waits for the last window
	}()
	lines := json.NewEncoder(out)
	ticker := time.NewTicker(windowEvery)
	defer ticker.Stop()
	for number := range 4 * conceptWindows {
		samples := sea.Take(windowSamples)
		w := Window{Number: number, Concept: sea.Concept(), Version: models.current.Version}
		began := time.Now()
		accuracy, err1 := models.current.Accuracy(samples)
		latency := time.Since(began) / windowSamples
		onStatic, err2 := static.Accuracy(samples)
		drift, err3 := reference.DriftScore(samples)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}

		w.At = time.Now()
		w.Accuracy = accuracy
		w.Static = onStatic
		w.Drift = drift
		event := metric.NewEvent(ModelName, w.Version, w.Accuracy, latency.Seconds()*1000, w.Drift)
		if err := h.Publish(ctx, event); err != nil {
			return err
		}
		if err := postSamples(ctx, o.Trainer, samples); err != nil {
			return err
		}
		if err := lines.Encode(w); err != nil {
			return fmt.Errorf("write window: %w", err)
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}

		if err := models.refresh(ctx); err != nil {
			return err
		}
	}

	return nil
}

// modelStore holds the newest model of the trainer.
type modelStore struct {
	url, etag string
	current   *learner.Model
}

// refresh downloads the newest model when it is another one.
func (s *modelStore) refresh(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}

	if s.etag != "" {
		request.Header.Set("If-None-Match", s.etag)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for the newest model: %w", err)
	}

	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusNotModified:
		return nil
	case http.StatusOK:
	default:
		return fmt.Errorf("ask for the newest model: GET %s: %s", s.url, response.Status)
	}

	var model learner.Model
	if err := json.NewDecoder(response.Body).Decode(&model); err != nil {
		return fmt.Errorf("read the newest model: %w", err)
	}
	if err := model.Validate(); err != nil {
		return fmt.Errorf("read the newest model: %w", err)
	}

	s.current = &model
	s.etag = response.Header.Get("ETag")
	return nil
}

func (s *modelStore) waitForFirst(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := s.refresh(ctx)
		if err == nil {
			return nil
		}

		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func postSamples(ctx context.Context, trainer string, samples []stream.Sample) error {
	body, err := json.Marshal(samples)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, trainer+"/samples", bytes.NewReader(body))
	if err != nil {
		return err
	}

	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("send labelled samples: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("send labelled samples: %s", response.Status)
	}

	return nil
}

// writeTrainingSet saves what the first model learns from.
func writeTrainingSet(path string, seed uint64) error {
	sea, err := newSea(seed)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(sea.Take(trainingSamples))
	if err != nil {
		return err
	}
	return os.WriteFile(path, encoded, 0o600)
}

func readTrainingSet(path string) ([]stream.Sample, error) {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the training set: %w", err)
	}
	var samples []stream.Sample
	if err := json.Unmarshal(encoded, &samples); err != nil {
		return nil, fmt.Errorf("read the training set %s: %w", path, err)
	}
	return samples, nil
}

// readWindows reads the serving process's lines until it ends.
func readWindows(lines io.Reader) <-chan Window {
	windows := make(chan Window)
	go func() {
		defer close(windows)
		if lines == nil {
			return
		}

		for scanner := bufio.NewScanner(lines); scanner.Scan(); {
			var w Window
			if json.Unmarshal(scanner.Bytes(), &w) == nil {
				windows <- w
			}
		}
	}()
	return windows
}
