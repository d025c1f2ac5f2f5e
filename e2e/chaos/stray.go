package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/contract"
)

// rejected is the mark of what must be rejected.
const rejected = "rejected"

// poison is what no monitor can take, by the signal that it comes by.
var poison = []struct{ signal, payload string }{
	{contract.SignalMetric, `{"model_name": "somebody-else", "accuracy": 0.5}`},
	{contract.SignalMetric, `{"accuracy": "high"}`},
	{contract.SignalMetric, "\x00\xff not JSON"},
	{contract.SignalMetricDigest, `{"version": 99}`},
	{contract.SignalRetrainingOutcome, `[]`},
	{"metrik", `{}`},
}

// stray sends what no good publisher does: single events, batches by a clock that
// is three hours off, each of them up to three times, and poison.
type stray struct {
	temporal client.Client
	claims   *claims
	random   *rand.Rand
	models   int
	sequence map[string]int64
}

func (s *stray) run(ctx context.Context) {
	s.sequence = map[string]int64{}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		model := modelName(s.random.IntN(s.models))
		switch s.random.IntN(5) {
		case 0:
			s.send(ctx, model, contract.SignalMetric, "stray", false, fmt.Appendf(nil, `{"model_name": %q, "model_version": "v1", "metrics": {"stray": 1}}`, model))
		case 1:
			p := poison[s.random.IntN(len(poison))]
			s.send(ctx, model, p.signal, rejected, false, []byte(p.payload))
		case 2:
			s.batch(ctx, model, 3*time.Hour, rejected)
		default:
			s.batch(ctx, model, -3*time.Hour, "stray-batch")
		}

		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// batch sends a batch of one event, measured so long from now, under a mark that
// is its publisher too, one to three times.
func (s *stray) batch(ctx context.Context, model string, off time.Duration, mark string) {
	key := mark + "/" + model
	s.sequence[key]++
	at := time.Now().Add(off).UTC().Format(time.RFC3339Nano)
	payload := fmt.Appendf(nil, `{"model_name": %q, "publisher": "stray-%s", "sequence": %d, "digests": [{"model_version": "v1", "events": 1,
		"first": %q, "last": %[4]q, "folded_from": %[4]q, "folded_until": %[4]q,
		"metrics": {%[2]q: {"count": 1, "sum": 1, "min": 1, "max": 1, "min_at": %[4]q, "max_at": %[4]q}}}]}`,
		model, mark, s.sequence[key], at)
	for i := range 1 + s.random.IntN(3) {
		s.send(ctx, model, contract.SignalMetricDigest, mark, i > 0, payload)
	}
}

// send signals until the server has taken it. A batch has a number, so each
// attempt is the same one; of anything else, each may count.
func (s *stray) send(ctx context.Context, model, signal, mark string, again bool, payload []byte) {
	isBatch := signal == contract.SignalMetricDigest && !bytes.HasPrefix(payload, []byte(`{"version": 99`))
	raw := converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)}, Data: payload,
	})
	for first := true; ctx.Err() == nil; first = false {
		if !again && (first || !isBatch) {
			s.claims.say(mark, model, 1, 0)
		}
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := s.temporal.SignalWorkflow(attempt, contract.WorkflowID(model), "", signal, raw)
		cancel()
		if err == nil {
			if !again {
				s.claims.say(mark, model, 0, 1)
			}
			return
		}

		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}
