package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
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
	assert.Equal(t, workflows.PartOf(5*time.Minute, "").Round(time.Second), after.Round(time.Second), "the moment of its run, which has no id here")
	second, input := newLife(t, "fraud").next(first)
	status := second.live(time.Minute, input)
	require.EqualValues(t, 2, status.Events)
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
