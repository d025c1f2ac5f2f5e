package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
)

// Window is what is known of one window of predictions once its labels have come,
// one line of JSON on the serving process's standard output.
type Window struct {
	Number   int       `json:"number"`
	At       time.Time `json:"at"`      // when it was predicted
	Concept  int       `json:"concept"` // at the window's end; for the summary, nobody learns from it
	Version  string    `json:"version"`
	Accuracy float64   `json:"accuracy"`
	Static   float64   `json:"static"` // the first model's, on the same window
}

// ServeOptions are the serving process's settings.
type ServeOptions struct {
	Client  client.Client
	Trainer string // its URL
	Seed    uint64
	Queue   string
	Endless bool // goes on with the last concept, until ctx ends
}

// Serve predicts the stream window by window. What a model sees is published as it is
// predicted, what was true of it labelsLate windows later: the accuracy through a Hub,
// the labelled samples to the trainer, whose newest model is swapped to.
func Serve(ctx context.Context, o ServeOptions, out io.Writer) error {
	sea, err := newSea(o.Seed)
	if err != nil {
		return err
	}

	sea.Take(trainingSamples) // the first model's, from the stream's beginning
	models := &modelStore{url: o.Trainer + "/models/latest"}
	if err := models.waitForFirst(ctx); err != nil {
		return err
	}

	h := hub.New(o.Client, hub.Options{TaskQueue: o.Queue})
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		_ = h.Close(closing) // the demo is over; nobody waits for the last window
	}()
	s := &server{
		ServeOptions: o, sea: sea, models: models, static: models.current, hub: h, lines: json.NewEncoder(out),
	}
	ticker := time.NewTicker(windowEvery)
	defer ticker.Stop()
	for number := 0; number < windows || len(s.unlabelled) > 0; number++ {
		if err := s.tick(ctx, number); err != nil {
			return err
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}

	return nil
}

// server is what serves the stream.
type server struct {
	ServeOptions
	sea        *stream.SEA
	models     *modelStore
	static     *learner.Model // the first
	hub        *hub.Hub
	lines      *json.Encoder
	unlabelled []predicted // whose labels have not come yet, oldest first
}

// predicted is a window that was predicted.
type predicted struct {
	window  Window
	samples []stream.Sample
}

// tick predicts a window, and takes the labels of an earlier one.
func (s *server) tick(ctx context.Context, number int) error {
	if err := s.models.refresh(ctx); err != nil {
		return err
	}

	if number < windows || s.Endless {
		if err := s.predict(ctx, number); err != nil {
			return err
		}
	}
	if number < labelsLate {
		return nil
	}
	return s.label(ctx)
}

// predict publishes the inputs of each prediction.
func (s *server) predict(ctx context.Context, number int) error {
	p := predicted{samples: s.sea.Take(windowSamples)}
	began := time.Now()
	accuracy, err := s.models.current.Accuracy(p.samples)
	if err != nil {
		return err
	}
	latency := time.Since(began).Seconds() * 1000 / windowSamples
	static, err := s.static.Accuracy(p.samples)
	if err != nil {
		return err
	}

	p.window = Window{
		Number: number, At: began, Concept: s.sea.Concept(), Version: s.models.current.Version, Accuracy: accuracy, Static: static,
	}
	event := metric.Event{
		Timestamp: began, ModelName: ModelName, ModelVersion: p.window.Version,
		LatencyMS: metric.Some(latency), Metrics: make(map[string]float64, len(inputs)),
	}
	for _, sample := range p.samples {
		for i, name := range inputs {
			event.Metrics[name] = sample.X[i]
		}
		if err := s.hub.Publish(ctx, event); err != nil {
			return err
		}
	}
	s.unlabelled = append(s.unlabelled, p)
	return nil
}

// label publishes how right the oldest window was whose labels have not come yet.
func (s *server) label(ctx context.Context) error {
	p := s.unlabelled[0]
	s.unlabelled = s.unlabelled[1:]
	err := s.hub.Publish(ctx, metric.Event{
		Timestamp: p.window.At, ModelName: ModelName, ModelVersion: p.window.Version, Accuracy: metric.Some(p.window.Accuracy),
	})
	if err != nil {
		return err
	}
	if err := postSamples(ctx, s.Trainer, p.samples); err != nil {
		return err
	}
	if err := s.lines.Encode(p.window); err != nil {
		return fmt.Errorf("write window: %w", err)
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
