package main

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
)

// metricUpdatesRefused counts updates that a monitor's checks refused, by name:
// history knows nothing of them.
const metricUpdatesRefused = "modelvigil_updates_refused"

// listening tells this process's metrics what monitors don't count themselves.
type listening struct {
	interceptor.WorkerInterceptorBase
	models *models // nil: no series of single models
}

// InterceptWorkflow listens to one run.
func (l *listening) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &listeningWorkflow{models: l.models}
	i.Next = next
	return i
}

type listeningWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	models *models
}

// ExecuteWorkflow shows the series of a run's model as long as this worker holds it.
func (i *listeningWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	if i.models != nil && workflow.GetInfo(ctx).WorkflowType.Name == contract.WorkflowType {
		series := &modelSeries{models: i.models}
		defer series.drop() // at its end, and when the worker's cache lets it go
		ctx = workflows.WithListener(ctx, series)
	}
	return i.Next.ExecuteWorkflow(ctx, in)
}

// ValidateUpdate counts what is refused.
func (i *listeningWorkflow) ValidateUpdate(ctx workflow.Context, in *interceptor.UpdateInput) error {
	err := i.Next.ValidateUpdate(ctx, in)
	if err != nil {
		workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"update": in.Name}).Counter(metricUpdatesRefused).Inc(1)
	}
	return err
}
