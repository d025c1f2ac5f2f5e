package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
)

const (
	tick       = 100 * time.Millisecond
	flushEvery = 2 * time.Second
	// breachEvery is how many ticks pass between two breaches of a model by one publisher.
	breachEvery = 20
	// hurriedGrace is what a publisher has to deliver that leaves in a hurry.
	hurriedGrace = time.Second
)

// word is what a publisher says on its standard output, a line each. Tried comes
// before the first event of a tick is published, so that a publisher that is
// killed has never published more than it said; Acked is Flush's word.
type word struct {
	Tried int64  `json:"tried,omitempty"` // ticks begun
	Acked int64  `json:"acked,omitempty"` // ticks of which every event is durable
	Error string `json:"error,omitempty"`
}

// publish is the life of a publisher process: in each tick it publishes
// perTick events of each model, all with a metric of its own name, at times that
// are behind by slow. An interrupt lets it deliver everything first; a termination
// lets it leave in a hurry, with what it then has acknowledged.
func publish(mark string, models, perTick int, slow time.Duration) error {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}

	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	temporal, err := client.NewLazyClient(options)
	if err != nil {
		return err
	}

	defer temporal.Close()
	patient, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()
	ctx, leave := signal.NotifyContext(patient, syscall.SIGTERM)
	defer leave()

	var writing sync.Mutex
	say := func(w word) {
		writing.Lock()
		defer writing.Unlock()
		line, _ := json.Marshal(w)
		_, _ = os.Stdout.Write(append(line, '\n'))
	}

	h := hub.New(temporal, hub.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	var published atomic.Int64 // ticks
	var flushing sync.WaitGroup
	flushing.Go(func() {
		for ctx.Err() == nil {
			ticks := published.Load()
			if h.Flush(ctx) == nil {
				say(word{Acked: ticks})
			}
			select {
			case <-ctx.Done():
			case <-time.After(flushEvery):
			}
		}
	})
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := int64(1); ctx.Err() == nil; n++ {
		say(word{Tried: n})
		for m := range models {
			for i := range perTick {
				event := metric.NewEvent(modelName(m), "v1", 0.95, 120, 0.02)
				if i == 0 && (n+int64(m))%breachEvery == 0 {
					event.Accuracy = metric.Some(0.5)
				}
				event.Timestamp = time.Now().Add(-slow)
				event.Metrics = map[string]float64{mark: 1}
				if err := h.Publish(context.Background(), event); err != nil {
					say(word{Error: err.Error()})
				}
			}
		}

		published.Store(n)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}

	flushing.Wait()
	isHurried := patient.Err() == nil
	grace := patience.Limit
	if isHurried {
		grace = hurriedGrace
	}
	closing, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := h.Close(closing); err != nil && !isHurried {
		say(word{Error: err.Error()})
		return err
	} else if err != nil {
		return nil
	}

	say(word{Acked: published.Load()})
	return nil
}

func modelName(m int) string { return fmt.Sprintf("chaos-%02d", m) }

// claim is what one sender says of each model.
type claim struct {
	mark         string
	model        string // "": each
	tried, acked int64  // events
}

// claims are what senders said, by their marks.
type claims struct {
	mu     sync.Mutex
	said   map[string]*claim
	faults []string
}

func (c *claims) of(mark, model string) *claim {
	key := mark + " " + model
	if c.said[key] == nil {
		c.said[key] = &claim{mark: mark, model: model}
	}
	return c.said[key]
}

func (c *claims) say(mark, model string, tried, acked int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.of(mark, model)
	said.tried += tried
	said.acked += acked
}

// listen takes a publisher's words down until it has ended.
func (c *claims) listen(mark string, perTick int, from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var w word
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue // it was killed in the middle of the line
		}

		c.mu.Lock()
		said := c.of(mark, "")
		said.tried = max(said.tried, w.Tried*int64(perTick))
		said.acked = max(said.acked, w.Acked*int64(perTick))
		if w.Error != "" {
			c.faults = append(c.faults, mark+": "+w.Error)
		}
		c.mu.Unlock()
	}
}
