package workflows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/workflows"
)

// handsOnTo is what a run that has ended continues as.
func handsOnTo(t *testing.T, l *life) *workflow.ContinueAsNewError {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, l.GetWorkflowError(), &next)
	return next
}

func TestAPinnedRunHandsOnToTheCurrentBuildWithinMinutes(t *testing.T) {
	const heard = 20 * time.Minute
	first := newLife(t, "fraud")
	first.accepts(1)
	began := first.Now()
	first.publish(0, 0.8)
	first.after(heard-time.Second, func() { first.SetTargetWorkerDeploymentVersionChanged(true) })
	first.publish(heard, 0.8)
	first.ExecuteWorkflow(contract.WorkflowType)

	next := handsOnTo(t, first)
	assert.EqualValues(t, workflow.ContinueAsNewVersioningBehaviorAutoUpgrade, next.InitialVersioningBehavior, "or it would be pinned to the old build for ever")
	after := first.Now().Sub(began) - heard
	assert.Equal(t, workflows.PartOf(4*time.Minute, "").Round(time.Second), after.Round(time.Second), "the moment of its run, which has no id here")
	second, input := newLife(t, "fraud").next(first)
	status := second.live(time.Minute, input)
	require.EqualValues(t, 2, status.Events)
}

// What such a call waits for may be what the other build mends, and nobody but the workers
// of the run's own build takes it.
func TestACallDefersTheMoveToAnotherBuildByAMinuteAtMost(t *testing.T) {
	for reason, calls := range deferredBy {
		t.Run(reason, func(t *testing.T) {
			const told = time.Minute
			first := newLife(t, "fraud")
			calls(first)
			began := first.Now()
			first.publish(0, 0.8)
			first.after(told, func() { first.SetTargetWorkerDeploymentVersionChanged(true) })
			for minute := range 60 {
				first.publish(told+time.Duration(minute)*time.Minute, 0.8)
			}
			first.ExecuteWorkflow(contract.WorkflowType, by(t, breachesAndTells))

			require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
			assert.LessOrEqual(t, first.Now().Sub(began), told+5*time.Minute)
			second, input := newLife(t, "fraud").next(first)
			var asked []string
			second.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Maybe().
				Return(func(_ context.Context, call activities.Call) (modelops.Job, error) {
					asked = append(asked, call.Request.RequestID)
					return modelops.Job{Backend: "log"}, nil
				})
			second.RegisterActivity(notices)
			second.OnActivity(notices.Notify, mock.Anything, mock.Anything).Return(nil).Maybe()
			status := second.live(time.Second, input)
			assert.EqualValues(t, 1, status.Retrainings.Accepted)
			for _, id := range asked {
				assert.Regexp(t, `^model-monitor/fraud/.*/1$`, id, "asked again, by the same id")
			}
		})
	}
}

func TestACallThatAnswersInSecondsIsNotMadeAgainForAnotherBuild(t *testing.T) {
	moves := workflows.PartOf(4*time.Minute, "")
	first := newLife(t, "fraud")
	first.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Once().After(20*time.Second).Return(modelops.Job{Backend: "log"}, nil)
	first.SetTargetWorkerDeploymentVersionChanged(true)
	began := first.Now()
	first.publish(moves-time.Second, 0.8)
	first.ExecuteWorkflow(contract.WorkflowType)

	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	assert.Equal(t, moves+19*time.Second, first.Now().Sub(began), "as soon as it has answered")
	second, input := newLife(t, "fraud").next(first)
	assert.EqualValues(t, 1, second.live(time.Minute, input).Retrainings.Accepted)
}

func TestAPinnedRunStaysWhereItsBuildIsCurrentAgain(t *testing.T) {
	first := newLife(t, "fraud")
	began := first.Now()
	first.publish(0, 0.95)
	first.after(20*time.Minute, func() { first.SetTargetWorkerDeploymentVersionChanged(true) })
	first.publish(20*time.Minute+time.Millisecond, 0.95)
	first.after(20*time.Minute+2*time.Millisecond, func() { first.SetTargetWorkerDeploymentVersionChanged(false) })
	first.publish(20*time.Minute+3*time.Millisecond, 0.95)
	first.ExecuteWorkflow(contract.WorkflowType)

	require.True(t, workflow.IsContinueAsNewError(first.GetWorkflowError()))
	assert.Greater(t, first.Now().Sub(began), 20*time.Hour)
}

func TestARollIsSpreadOverTheFleet(t *testing.T) {
	const runs, parts = 10_000, 10
	counts := make([]int, parts)
	for i := range runs {
		part := workflows.PartOf(parts, uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)).String())
		counts[part]++
	}

	for part, n := range counts {
		assert.InDelta(t, runs/parts, n, runs/parts/5, "part %d of the time", part)
	}
}
