package main

import (
	"cmp"
	"context"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/workflows/index"
)

const (
	// searchTimeout bounds one look at the namespace's search attributes.
	searchTimeout = 10 * time.Second
	// searchPause is after how long they are looked for again.
	searchPause = time.Minute
)

// search knows whether the namespace has the search attributes of monitors. They
// are created where this process may; otherwise `modelvigil setup` does it, and
// monitors do without until then.
type search struct{ has atomic.Bool }

// watch looks for them until they are there or ctx ends.
func (s *search) watch(ctx context.Context, p *pool, c client.Client) {
	for said := false; ; said = true {
		s.ensure(ctx, p, c, said)
		if s.has.Load() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(searchPause):
		}
	}
}

// ensure looks once; what keeps it from having them it says once.
func (s *search) ensure(ctx context.Context, p *pool, c client.Client, said bool) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	namespace := cmp.Or(p.temporal.Namespace, client.DefaultNamespace)
	created, err := index.Ensure(ctx, c, namespace)
	switch {
	case err != nil && !said:
		p.log.Warn("monitors have no search attributes; `modelvigil setup`, with the rights for it, creates them", "error", err)
	case err != nil:
	default:
		if len(created) > 0 {
			p.log.Info("search attributes are created", "namespace", namespace, "names", strings.Join(created, " "))
		}
		s.has.Store(true)
	}
}
