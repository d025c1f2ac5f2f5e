package modelopstest

import (
	"strings"
	"sync"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/modelops"
)

// callsAtOnce is how many calls for one request are made at once: more than any
// accident makes, and few enough for a system on one machine.
const callsAtOnce = 20

func (h Harness) testOneJob(t *testing.T) {
	t.Run("asked twice", func(t *testing.T) {
		s, request := h.subject(t), breach()
		first, again := s.scheduled(t, request), s.scheduled(t, request)
		sameJob(t, first, again)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("asked again after a restart", func(t *testing.T) {
		request := breach()
		before := h.subject(t).scheduled(t, request)
		after := h.subject(t).scheduled(t, request)
		sameJob(t, before, after)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("asked by two workers, 20 times at once", func(t *testing.T) {
		workers, request := []subject{h.subject(t), h.subject(t)}, breach()
		var calls sync.WaitGroup
		results := make([]*temporal.ApplicationError, callsAtOnce)
		for i := range callsAtOnce {
			calls.Go(func() { _, results[i] = workers[i%len(workers)].schedule(t.Context(), t, request) })
		}
		calls.Wait()
		for _, err := range results {
			if err != nil && err.NonRetryable() {
				t.Errorf("refused for good: %v", err)
			}
		}

		workers[0].scheduled(t, request)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("asked again after a lost answer", func(t *testing.T) {
		need(t, h.LoseAnswer != nil, "Harness.LoseAnswer")
		s, request := h.subject(t), breach()
		h.LoseAnswer(t)
		if _, err := s.schedule(t.Context(), t, request); err != nil && err.NonRetryable() {
			t.Errorf("a lost answer is taken for a final one: %v", err)
		}
		s.scheduled(t, request)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("asked again when it has ended", func(t *testing.T) {
		need(t, h.Succeed != nil && h.Fail != nil, "Harness.Succeed and Fail")
		s, good, bad := h.subject(t), breach(), breach()
		s.scheduled(t, good)
		s.scheduled(t, bad)
		h.Succeed(t, good.RequestID, "v8")
		h.Fail(t, bad.RequestID, "out of memory")
		for _, request := range []modelops.Request{good, bad} {
			s.scheduled(t, request)
			h.expectJobs(t, request.RequestID, 1)
		}
	})

	t.Run("other requests are other jobs", func(t *testing.T) {
		s, request := h.subject(t), breach()
		ids := []string{
			request.RequestID, request.RequestID + "1", // the monitor's 11th
			strings.Replace(request.RequestID, "Betrug", "betrug", 1),  // a model whose name differs in case only
			strings.Replace(request.RequestID, "EU/v2", "EU-v2", 1),    // or in what a system may clean away
			strings.Replace(request.RequestID, "%20EU", "%20EU%21", 1), // a longer one
		}
		for _, id := range ids {
			request.RequestID = id
			s.scheduled(t, request)
		}

		for _, id := range ids {
			h.expectJobs(t, id, 1)
		}
	})

	t.Run("a job that carries another request id is not ours", func(t *testing.T) {
		need(t, h.Stranger != nil, "Harness.Stranger")
		s, request := h.subject(t), breach()
		h.Stranger(t, request)
		job, err := s.schedule(t.Context(), t, request)
		switch {
		case err == nil && h.Jobs(t, request.RequestID) != 1:
			t.Errorf("a stranger's job is taken for ours: %+v", job)
		case err != nil && !err.NonRetryable():
			t.Errorf("a name that stays taken is tried again for ever: %v", err)
		}
	})
}

func sameJob(t *testing.T, first, again modelops.Job) {
	t.Helper()
	if first != again {
		t.Errorf("the same request is answered with two jobs: %+v, then %+v", first, again)
	}
}
