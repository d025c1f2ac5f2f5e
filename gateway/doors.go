package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/modelvigil/modelvigil/hub"
)

var (
	errStarting = errors.New("not connected to Temporal yet")
	errStopping = errors.New("stopping")
)

// doors let requests in to a hub while they are open.
type doors struct {
	mu     sync.Mutex
	hub    *hub.Hub
	shut   error // why nobody is let in
	inside sync.WaitGroup
}

func (d *doors) open(h *hub.Hub) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hub = h
	d.shut = nil
}

func (d *doors) ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut
}

// enter returns the hub and what to call once nothing is published to it any
// more, which may be called again.
func (d *doors) enter() (h *hub.Hub, leave func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut != nil {
		return nil, nil, d.shut
	}
	d.inside.Add(1)
	return d.hub, sync.OnceFunc(d.inside.Done), nil
}

// close lets nobody in any more, and returns when all have left or ctx ends.
func (d *doors) close(ctx context.Context) error {
	d.mu.Lock()
	d.shut = errStopping
	d.mu.Unlock()
	left := make(chan struct{})
	go func() {
		d.inside.Wait()
		close(left)
	}()
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("some requests are still publishing: %w", ctx.Err())
	}
}
