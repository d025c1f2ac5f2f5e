package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/demo/trainer"
)

// TrainOptions are the training service's settings.
type TrainOptions struct {
	Listen  string // host:port
	Initial string // path of the training set
	Secret  string // whsec_…, what requests must be signed with
	Logger  *slog.Logger
}

// Train runs the training service until ctx ends.
func Train(ctx context.Context, o TrainOptions) error {
	initial, err := readTrainingSet(o.Initial)
	if err != nil {
		return err
	}
	service, err := trainer.New(trainer.Config{
		ModelName: ModelName, Secret: o.Secret, Initial: initial, FreshSamples: trainingSamples,
		LateSamples: labelsLate * windowSamples, BaseURL: "http://" + o.Listen, Logger: o.Logger, Fit: learner.Options{},
	})
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("trainer: %w", err)
	}

	server := &http.Server{Handler: service, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("trainer: %w", err)
	case <-ctx.Done():
	}

	closing, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	return errors.Join(service.Close(closing), server.Shutdown(closing))
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
