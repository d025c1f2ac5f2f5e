package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// waitsAfter is how long apply waits for a worker's answer before it says so.
const waitsAfter = 2 * time.Second

// askAll asks a worker about all policies, before anything is changed or started: what
// refuses a policy are a monitor's validator, which answers only once the monitor is
// there, and the backends and channels that the worker has. It returns what is wrong
// with each document, nil where nothing is, and an error where nobody answers.
func (s *server) askAll(ctx context.Context, documents []document.Document, stderr io.Writer) ([]error, error) {
	waiting := time.AfterFunc(waitsAfter, func() {
		_, _ = fmt.Fprintf(stderr, "waiting for a worker: %s; Ctrl-C gives up\n", s.whoWorks(ctx))
	})
	defer waiting.Stop()

	refusals := make([]error, len(documents))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxApplying)
	for i, d := range documents {
		group.Go(func() error {
			var err error
			refusals[i], err = s.ask(ctx, d)
			return err
		})
	}

	return refusals, group.Wait()
}

// ask asks a worker of the model's task queue about one policy.
func (s *server) ask(ctx context.Context, d document.Document) (refusal, err error) {
	queue := string(s.settings.TaskQueue)
	found, err := s.find(ctx, d.Model)
	switch {
	case errors.Is(err, errNoMonitor):
	case err != nil:
		return nil, err
	case found.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		queue = found.GetTaskQueue()
	}

	return s.askAbout(ctx, queue, d.Policy)
}

// askAbout asks by the fleet of a task queue, whose validator always refuses: with the
// policy's faults, or with the word that there are none.
func (s *server) askAbout(ctx context.Context, queue string, policy policy.Policy) (refusal, err error) {
	err = s.updateFleet(ctx, queue, workflows.UpdateCheckPolicy, policy, nil)
	switch {
	case workflows.WouldTake(err), err != nil && strings.Contains(err.Error(), "unknown update"): // a worker of an earlier release
		return nil, nil
	case isRefusal(err):
		return s.explain(ctx, "", queue, err), nil
	case ctx.Err() == nil && isLate(err):
		return nil, fmt.Errorf("no worker has answered within %v: %s", s.timeout, s.whoWorks(ctx))
	}

	return nil, s.explain(ctx, "", queue, err)
}

// whoWorks says who is at the task queue, and what to do where nobody is.
func (s *server) whoWorks(ctx context.Context) string {
	queue := string(s.settings.TaskQueue)
	says, err := s.examineQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		says = err.Error()
	}
	return fmt.Sprintf("at task queue %s of namespace %s at %s %s", plain.Text(queue), plain.Text(s.namespace), s.address, says)
}
