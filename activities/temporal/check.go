package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// Check says whether the namespace is there, and a worker at the task queue.
func (b *Backend) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := b.service.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: b.namespace, TaskQueue: &taskqueue.TaskQueue{Name: b.config.TaskQueue}, TaskQueueType: enums.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil {
		return fmt.Errorf("look at task queue %q in %s: %w", b.config.TaskQueue, b.where, classify(err))
	}
	if len(answer.GetPollers()) == 0 {
		return errors.New("no worker is at task queue " + b.config.TaskQueue + " in " + b.where + "; start one that runs " + b.config.WorkflowType)
	}

	return nil
}
