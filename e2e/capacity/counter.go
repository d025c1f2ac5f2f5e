package main

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// counterArgument makes this program the worker of the counting workflow, on a task queue.
const counterArgument = "count"

// count runs counting workflows until the process is ended.
func count(queue string) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()

	w := worker.New(c, queue, worker.Options{
		DisableRegistrationAliasing: true, LocalActivityWorkerOnly: true,
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	})
	w.RegisterWorkflowWithOptions(counting, workflow.RegisterOptions{Name: contract.WorkflowType})
	return w.Run(worker.InterruptCh())
}

// counting is the least that a workflow can do for its signals. Publishers are told that
// it is a healthy monitor.
func counting(ctx workflow.Context, input converter.RawValue) error {
	signals := 0
	guidance := contract.Guidance{
		Phase: contract.PhaseWatching, Rules: policy.Policy{}.WithDefaults().Rules, Publishers: 1,
		ReportEvery: policy.Duration(reportEvery(input)), BatchVersions: []int{1, metric.BatchVersion},
	}
	if err := workflow.SetQueryHandler(ctx, contract.QueryGuidance, func() (contract.Guidance, error) { return guidance, nil }); err != nil {
		return err
	}

	workflow.Go(ctx, func(ctx workflow.Context) {
		for events := workflow.GetSignalChannel(ctx, contract.SignalMetric); events.Receive(ctx, nil); {
			signals++
		}
	})
	for batches := workflow.GetSignalChannel(ctx, contract.SignalMetricDigest); batches.Receive(ctx, nil); {
		signals++
	}
	return nil
}

// reportEvery is that of a run's policy.
func reportEvery(input converter.RawValue) time.Duration {
	var read struct {
		Policy policy.Policy `json:"policy"`
	}
	if input.Payload() != nil && converter.GetDefaultDataConverter().FromPayload(input.Payload(), &read) != nil {
		return policy.DefaultReportEvery
	}
	return read.Policy.ReportInterval()
}
