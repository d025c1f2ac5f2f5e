package main

import (
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
)

// direct, the innermost interceptor, calls monitors without reflection, by which the SDK
// calls every workflow. A monitor rests within that call for days, and reflection is
// 2,000 of the 3,400 bytes on its stack: without it 8 KiB of stack are enough for a
// monitor at rest, and not 16.
type direct struct {
	interceptor.WorkerInterceptorBase
	monitors workflows.Worker
}

// InterceptWorkflow calls one run, if it is a monitor's.
func (d *direct) InterceptWorkflow(ctx workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	if workflow.GetInfo(ctx).WorkflowType.Name != contract.WorkflowType {
		return next
	}
	call := &directCall{monitors: d.monitors}
	call.Next = next
	return call
}

type directCall struct {
	interceptor.WorkflowInboundInterceptorBase
	monitors workflows.Worker
}

// ExecuteWorkflow hands on the argument as MonitorWorkflow takes it: raw, and empty where
// there is none.
func (c *directCall) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	input, _ := in.Args[0].(converter.RawValue)
	return nil, c.monitors.MonitorWorkflow(ctx, input)
}
