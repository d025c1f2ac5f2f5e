package main

import (
	"context"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

const (
	// block is how many of a kind are started before it is the other's turn.
	block = 500
	// looked is how many of a block, the last, are waited for: tasks come in order.
	looked = 32
	// firstTask is how many events a history has at least whose first task is done: the
	// start, and a task that is scheduled, started and completed.
	firstTask = 4
)

// start starts monitors of each kind by their first event, until each has taken it.
func start(ctx context.Context, kinds []*kind, o options) error {
	for begun := 0; begun < o.starts; begun += block {
		for _, k := range kinds {
			models := k.newModels(min(block, o.starts-begun))
			k.models = append(k.models, models...)
			if err := k.started.measured(k, func() (int, error) { return len(models), k.startAll(ctx, models, o.clients) }); err != nil {
				return fmt.Errorf("start %ss: %w", k.name, err)
			}
		}
		if (begun/block+1)%5 == 0 {
			compare("starts", &kinds[0].started, &kinds[1].started)
		}
	}

	if o.starts > 0 {
		compare("starts", &kinds[0].started, &kinds[1].started)
	}
	return nil
}

// startAll starts a block.
func (k *kind) startAll(ctx context.Context, models []string, clients int) error {
	if err := inParallel(len(models), clients, func(i int) error {
		event := healthy(models[i], i)
		options := hub.StartOptions(models[i], k.queue)
		_, err := k.client.SignalWithStartWorkflow(ctx, options.ID, contract.SignalMetric, event, options, contract.WorkflowType,
			workflows.Input{ModelName: models[i]})
		return err
	}); err != nil {
		return err
	}

	return k.waitFor(ctx, models[max(0, len(models)-looked):], firstTask+1) // and the event
}

// waitFor waits until models have so many events in their histories.
func (k *kind) waitFor(ctx context.Context, models []string, events int64) error {
	for _, model := range models {
		for {
			described, err := k.client.DescribeWorkflowExecution(ctx, contract.WorkflowID(model), "")
			if err != nil {
				return err
			}
			if described.GetWorkflowExecutionInfo().GetHistoryLength() >= events {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}

	return nil
}

// enrol starts models of each kind that report as often as a policy says.
func enrol(ctx context.Context, kinds []*kind, o options) error {
	p := policy.Policy{ReportEvery: metric.Some(policy.Duration(o.every))}
	for _, k := range kinds {
		models := k.newModels(o.models)
		k.models = models
		if err := inParallel(len(models), o.clients, func(i int) error {
			input := workflows.Input{ModelName: models[i], Policy: &p}
			_, err := k.client.ExecuteWorkflow(ctx, hub.StartOptions(models[i], k.queue), contract.WorkflowType, input)
			return err
		}); err != nil {
			return fmt.Errorf("start %ss: %w", k.name, err)
		}
		if err := k.waitFor(ctx, models, firstTask); err != nil {
			return err
		}
	}

	return nil
}

// healthy is an event that breaches nothing.
func healthy(model string, i int) metric.Event {
	return metric.NewEvent(model, "v1", 0.93+float64(i%50)/1000, 100+float64(i*7919%90), 0.01+float64(i%80)/1000)
}
