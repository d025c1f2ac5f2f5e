package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
)

func TestAMonitorRestsWithoutReflectionOnItsStack(t *testing.T) {
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	var stack string
	monitors := workflows.Worker{HasIndex: func() bool {
		stack = string(debug.Stack())
		return false
	}}
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&workflows.EveryArgument{}, &direct{monitors: monitors}}})
	env.RegisterWorkflowWithOptions(monitors.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID("fraud")})
	env.RegisterDelayedCallback(env.CancelWorkflow, 0)
	env.ExecuteWorkflow(contract.WorkflowType)

	require.NoError(t, env.GetWorkflowError())
	require.Contains(t, stack, "workflows.Worker.MonitorWorkflow", "what a monitor asks is asked on its own stack")
	assert.NotContains(t, stack, "reflect.Value")
}
