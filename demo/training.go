package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/modelvigil/modelvigil/demo/learner"
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
		BaseURL: "http://" + o.Listen, Logger: o.Logger, Fit: learner.Options{},
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
