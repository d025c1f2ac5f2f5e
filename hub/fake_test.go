package hub

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// fakeCarrier is a server of monitors: real machines behind a wire that tests
// can cut. Batches cross it as JSON.
type fakeCarrier struct {
	mu       sync.Mutex
	machines map[string]*monitor.Machine
	runs     map[string]string            // the run that a model's monitor is in
	told     map[string]contract.Guidance // what is no news to publishers
	asked    []time.Time
	follows  bool // the retrainings go on until somebody tells their outcome
	sent     []delivery
	// before, where set, decides about an attempt: an error before or after the
	// batch is taken in.
	before, after func(batch *metric.Batch) error
}

type delivery struct {
	at    time.Time
	batch metric.Batch
}

func newFakeCarrier() *fakeCarrier {
	return &fakeCarrier{machines: map[string]*monitor.Machine{}, runs: map[string]string{}, told: map[string]contract.Guidance{}}
}

func (c *fakeCarrier) send(ctx context.Context, batch *metric.Batch) (run string, err error) {
	encoded, err := json.Marshal(batch)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.before != nil {
		if err := c.before(batch); err != nil {
			return "", err
		}
	}
	received, err := metric.DecodeBatch(encoded)
	if err != nil {
		return "", err
	}
	c.sent = append(c.sent, delivery{time.Now(), *received})
	m := c.machine(batch.ModelName)
	m.ObserveBatch(time.Now(), received)
	if flight := m.Wants(time.Now()).Schedule; flight != nil {
		m.TakeJob(time.Now(), flight.RequestID, modelops.Job{Backend: "log", Followed: c.follows})
	}
	if told, now := c.told[batch.ModelName], m.Guidance(time.Now()); now.IsNewsAfter(&told) { // its run hands on
		c.told[batch.ModelName] = now
		c.runs[batch.ModelName] += "+"
	}
	if c.after != nil {
		return c.runs[batch.ModelName], c.after(batch)
	}
	return c.runs[batch.ModelName], ctx.Err()
}

func (c *fakeCarrier) machine(model string) *monitor.Machine {
	if c.machines[model] == nil {
		c.machines[model] = monitor.NewMachine(model, contract.WorkflowID(model)+"/run", policy.Policy{})
	}
	return c.machines[model]
}

func (c *fakeCarrier) ask(_ context.Context, model string) (contract.Guidance, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, time.Now())
	return c.machine(model).Guidance(time.Now()), nil
}

func (c *fakeCarrier) status(model string) monitor.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine(model).Status(time.Now())
}

func (c *fakeCarrier) set(before, after func(*metric.Batch) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before, c.after = before, after
}

// forget gives back all that the server's side holds.
func (c *fakeCarrier) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.machines)
	clear(c.told)
	c.sent = nil
}

func (c *fakeCarrier) deliveries() []delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]delivery(nil), c.sent...)
}

var quiet = Options{Logger: slog.New(slog.DiscardHandler)}

func healthy(model string) metric.Event {
	return metric.NewEvent(model, "v1", 0.95, 120, 0.02)
}

func breaching(model string) metric.Event {
	return metric.NewEvent(model, "v1", 0.80, 120, 0.02)
}

func closeHub(t *testing.T, h *Hub) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	require.NoError(t, h.Close(ctx))
}
