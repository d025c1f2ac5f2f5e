package modelopstest

import (
	"strings"
	"testing"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/modelops"
)

func (h Harness) testFollow(t *testing.T) {
	follows := func(t *testing.T, s subject, job modelops.Job) {
		t.Helper()
		_, follower := s.backend.(modelops.Follower)
		need(t, follower && job.Followed, "modelops.Follower that follows this job")
	}

	t.Run("while it runs there is no outcome", func(t *testing.T) {
		s, request := h.subject(t), breach()
		job := s.scheduled(t, request)
		follows(t, s, job)
		for range 2 {
			if outcome, err := s.ask(t, request, job); err == nil || err.Type() != activities.ErrorRunning {
				t.Errorf("a running job: got %+v and %v, want ErrRunning", outcome, err)
			}
		}
	})

	t.Run("to its success, with the model version that it made", func(t *testing.T) {
		need(t, h.Succeed != nil, "Harness.Succeed")
		s, request := h.subject(t), breach()
		job := s.scheduled(t, request)
		follows(t, s, job)
		h.Succeed(t, request.RequestID, "v8-retrained")
		for _, asking := range []subject{s, h.subject(t)} { // by another worker too, and again
			outcome := asking.outcome(t, request, job)
			if outcome.State != modelops.Succeeded || outcome.ModelVersion != "v8-retrained" || outcome.RequestID != request.RequestID {
				t.Errorf("got %+v", outcome)
			}
		}
	})

	t.Run("to its failure, with the reason", func(t *testing.T) {
		need(t, h.Fail != nil, "Harness.Fail")
		s, request := h.subject(t), breach()
		job := s.scheduled(t, request)
		follows(t, s, job)
		h.Fail(t, request.RequestID, "out of memory in epoch 2")
		outcome := s.outcome(t, request, job)
		if outcome.State != modelops.Failed || !strings.Contains(outcome.Message, "out of memory in epoch 2") {
			t.Errorf("got %+v", outcome)
		}
	})

	t.Run("one that is not there any more is final", func(t *testing.T) {
		need(t, h.Forget != nil, "Harness.Forget")
		s, request := h.subject(t), breach()
		job := s.scheduled(t, request)
		follows(t, s, job)
		h.Forget(t, request.RequestID)
		h.eventually(t, "a job that was deleted is said to be unknown", func() bool {
			outcome, err := s.ask(t, request, job)
			switch {
			case err == nil && outcome.State == modelops.Succeeded:
				t.Fatalf("a job that was deleted has succeeded: %+v", outcome)
			case err == nil: // the system knows that it was deleted
				return true
			}
			return err.NonRetryable()
		})
	})
}

// outcome asks until there is one, as Temporal does.
func (s subject) outcome(t *testing.T, request modelops.Request, job modelops.Job) modelops.Outcome {
	t.Helper()
	var outcome modelops.Outcome
	s.h.eventually(t, "the job has an outcome", func() bool {
		o, err := s.ask(t, request, job)
		if err != nil && err.NonRetryable() {
			t.Fatalf("can't be followed: %v", err)
		}
		outcome = o
		return err == nil
	})
	return outcome
}

func (h Harness) testCancel(t *testing.T) {
	cancels := func(t *testing.T, s subject) {
		t.Helper()
		_, canceller := s.backend.(modelops.Canceller)
		need(t, canceller, "modelops.Canceller")
	}

	t.Run("ends a running job, and may be asked for again", func(t *testing.T) {
		need(t, h.HasEnded != nil, "Harness.HasEnded")
		s, request, bystander := h.subject(t), breach(), breach()
		cancels(t, s)
		job := s.scheduled(t, request)
		s.scheduled(t, bystander)
		for range 2 {
			if err := s.cancel(t, request, job); err != nil {
				t.Fatalf("cancel: %v", err)
			}
		}

		h.eventually(t, "the job has ended", func() bool { return h.HasEnded(t, request.RequestID) })
		if err := h.subject(t).cancel(t, request, job); err != nil {
			t.Errorf("cancel a job that has been cancelled: %v", err)
		}
		if h.HasEnded(t, bystander.RequestID) {
			t.Error("another job has ended too")
		}
	})

	t.Run("of a job that has succeeded is no error", func(t *testing.T) {
		need(t, h.Succeed != nil, "Harness.Succeed")
		s, request := h.subject(t), breach()
		cancels(t, s)
		job := s.scheduled(t, request)
		h.Succeed(t, request.RequestID, "v8")
		if err := s.cancel(t, request, job); err != nil {
			t.Errorf("cancel: %v", err)
		}
	})

	t.Run("without the answer finds the job by its request id, or says for good that it can't", func(t *testing.T) {
		need(t, h.HasEnded != nil, "Harness.HasEnded")
		s, request := h.subject(t), breach()
		cancels(t, s)
		s.scheduled(t, request)
		switch err := s.cancel(t, request, modelops.Job{}); {
		case err == nil:
			h.eventually(t, "the job has ended", func() bool { return h.HasEnded(t, request.RequestID) })
		case !err.NonRetryable():
			t.Errorf("tried again for ever: %v", err)
		}
	})

	t.Run("of what was never begun begins nothing", func(t *testing.T) {
		s, request := h.subject(t), breach()
		cancels(t, s)
		if err := s.cancel(t, request, modelops.Job{}); err != nil && !err.NonRetryable() {
			t.Errorf("tried again for ever: %v", err)
		}
		h.expectJobs(t, request.RequestID, 0)
	})

	t.Run("leaves a stranger's job alone", func(t *testing.T) {
		need(t, h.Stranger != nil, "Harness.Stranger")
		s, request := h.subject(t), breach()
		cancels(t, s)
		isRunning := h.Stranger(t, request)
		if err := s.cancel(t, request, modelops.Job{}); err != nil && !err.NonRetryable() {
			t.Errorf("tried again for ever: %v", err)
		}
		if !isRunning() {
			t.Error("a stranger's job has ended")
		}
	})
}
