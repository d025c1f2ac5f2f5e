package gateway

import (
	"context"
	"runtime"
	"sync"
)

// gate lets few requests of each token be decoded at a time: the others of the same
// token wait, those of another one do not. So what one token sends takes a part of the
// processors, whatever it costs to look at.
type gate struct {
	mu sync.Mutex
	by map[string]chan struct{} // a place for each request at work
}

// enter waits for a place, and returns how to leave it.
func (g *gate) enter(ctx context.Context, token string) (leave func(), err error) {
	places := g.places(token)
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) places(token string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	places := g.by[token]
	if places == nil {
		n := max(1, runtime.GOMAXPROCS(0)/2)
		if token == "" { // everybody
			n = runtime.GOMAXPROCS(0)
		}
		places = make(chan struct{}, n)
		if g.by == nil {
			g.by = map[string]chan struct{}{}
		}
		g.by[token] = places
	}

	return places
}
