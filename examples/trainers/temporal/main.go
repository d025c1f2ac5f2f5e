// Command temporal is a trainer behind the backend "temporal": a worker with one
// workflow that retrains a model. It takes Temporal's own settings from the
// environment, and the worker of modelvigil has
//
//	MODELOPS_TEMPORAL_WORKFLOW_TYPE=Train MODELOPS_TEMPORAL_TASK_QUEUE=training
package main

import (
	"context"
	"errors"
	"log"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/modelops"
)

// Result is what the monitor learns.
type Result struct {
	ModelVersion string `json:"model_version"`
	Message      string `json:"message"`
}

// Train retrains a model, and cleans up where it is cancelled.
func Train(ctx workflow.Context, request modelops.Request) (Result, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 8 * time.Hour, HeartbeatTimeout: time.Minute, WaitForCancellation: true,
	})
	var version string
	err := workflow.ExecuteActivity(ctx, Fit, request).Get(ctx, &version)
	if temporal.IsCanceledError(err) {
		cleaning, _ := workflow.NewDisconnectedContext(ctx)
		return Result{}, errors.Join(err, workflow.ExecuteActivity(cleaning, CleanUp, request.RequestID).Get(cleaning, nil))
	}
	return Result{version, "trained because " + request.Reason}, err
}

// Fit is where yours begins: it trains, and returns the new version.
func Fit(ctx context.Context, request modelops.Request) (string, error) {
	for epoch := range 3 {
		activity.RecordHeartbeat(ctx, epoch) // by which it learns that it is cancelled
		select {
		case <-time.After(100 * time.Millisecond): // hours, in yours
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return request.ModelVersion + "-retrained", nil
}

// CleanUp removes what a cancelled training has left.
func CleanUp(context.Context, string) error { return nil }

func main() {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(options)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, "training", worker.Options{})
	w.RegisterWorkflow(Train)
	w.RegisterActivity(Fit)
	w.RegisterActivity(CleanUp)
	if err := w.Run(worker.InterruptCh()); err != nil {
		log.Print(err)
	}
}
