package main

import (
	"context"
	"errors"
	"sync"

	"go.temporal.io/sdk/client"
)

var (
	errStarting = errors.New("not connected to Temporal yet")
	errStopping = errors.New("stopping")
)

// readiness knows whether this process does its work. It is safe for concurrent
// use.
type readiness struct {
	mu     sync.Mutex
	client client.Client // set while the workers run
	reason error         // why they do not
}

func newReadiness() *readiness { return &readiness{reason: errStarting} }

func (r *readiness) set(c client.Client, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.client = c
	r.reason = reason
}

// check says why the process is not ready. While the workers run it asks the
// server, which may have gone away since.
func (r *readiness) check(ctx context.Context) error {
	r.mu.Lock()
	c, reason := r.client, r.reason
	r.mu.Unlock()
	if reason != nil {
		return reason
	}
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}
