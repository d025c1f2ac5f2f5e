package modelopstest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/modelops"
)

func (h Harness) testErrors(t *testing.T) {
	t.Run("a system that is away is tried again", func(t *testing.T) {
		need(t, h.Away != nil, "Harness.Away")
		s, request, followed := h.subject(t), breach(), breach()
		job := s.scheduled(t, followed)
		back := sync.OnceFunc(h.Away(t))
		t.Cleanup(back)
		if job, err := s.schedule(t.Context(), t, request); err == nil || err.NonRetryable() {
			t.Errorf("schedule: got %+v and %v, want an error that is tried again", job, err)
		}
		if _, follower := s.backend.(modelops.Follower); follower && job.Followed {
			if outcome, err := s.ask(t, followed, job); err == nil || err.NonRetryable() {
				t.Errorf("ask: got %+v and %v, want an error that is tried again", outcome, err)
			}
		}
		if _, canceller := s.backend.(modelops.Canceller); canceller {
			if err := s.cancel(t, followed, job); err == nil || err.NonRetryable() {
				t.Errorf("cancel: got %v, want an error that is tried again", err)
			}
		}

		back()
		s.scheduled(t, request)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("a refusal is final", func(t *testing.T) {
		need(t, h.Refuse != nil, "Harness.Refuse")
		s, request := h.subject(t), breach()
		undo := sync.OnceFunc(h.Refuse(t))
		t.Cleanup(undo)
		if job, err := s.schedule(t.Context(), t, request); err == nil || err.Type() != activities.ErrorPermanent {
			t.Errorf("got %+v and %v, want an error of type %s", job, err, activities.ErrorPermanent)
		}
		undo()
		h.expectJobs(t, request.RequestID, 0)
	})

	t.Run("a system that asks for less is told apart, and tried again", func(t *testing.T) {
		need(t, h.Throttle != nil, "Harness.Throttle")
		s, request := h.subject(t), breach()
		undo := sync.OnceFunc(h.Throttle(t))
		t.Cleanup(undo)
		if job, err := s.schedule(t.Context(), t, request); err == nil || err.Type() != activities.ErrorThrottled {
			t.Errorf("got %+v and %v, want an error of type %s", job, err, activities.ErrorThrottled)
		}
		undo()
		s.scheduled(t, request)
		h.expectJobs(t, request.RequestID, 1)
	})

	t.Run("a call whose context has ended returns", func(t *testing.T) {
		s, request := h.subject(t), breach()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			if _, err := s.schedule(ctx, t, request); err != nil && err.NonRetryable() {
				t.Errorf("refused for good: %v", err)
			}
		}()
		select {
		case <-returned:
		case <-time.After(h.Timeout):
			t.Fatalf("not within %v: the call returns", h.Timeout)
		}

		s.scheduled(t, request)
		h.expectJobs(t, request.RequestID, 1)
	})
}
