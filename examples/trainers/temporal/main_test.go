package main

import (
	"testing"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestTrainTellsTheNewVersionAndWhy(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(patience.Limit)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: patience.Limit})
	env.RegisterActivity(Fit)
	env.RegisterActivity(CleanUp)
	env.ExecuteWorkflow(Train, modelops.Request{RequestID: "r", ModelVersion: "v7", Reason: "accuracy 0.8000 below threshold 0.9000"})
	var result Result
	if err := env.GetWorkflowResult(&result); err != nil {
		t.Fatal(err)
	}
	if want := (Result{"v7-retrained", "trained because accuracy 0.8000 below threshold 0.9000"}); result != want {
		t.Errorf("got %+v, want %+v", result, want)
	}
}
