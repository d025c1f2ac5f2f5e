package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/workflows"
)

var notices *activities.Notices // names only

// fleetLife is one run of a fleet in the test environment.
type fleetLife struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	updates int      // answered, without an error
	told    []string // decisions, as the pager was told
	ids     []string // of the notices, likewise
}

// newFleetLife prepares a fleet with a chat that is away and a pager that answers.
func newFleetLife(t *testing.T) *fleetLife {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet)
	l := &fleetLife{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	l.SetStartTime(noon)
	l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflows.FleetID(contract.DefaultTaskQueue), TaskQueue: contract.DefaultTaskQueue})
	l.RegisterWorkflowWithOptions(workflows.FleetWorkflow, workflow.RegisterOptions{Name: workflows.FleetType})
	l.RegisterActivity(&activities.Notices{})
	l.OnActivity(notices.FleetChannels, mock.Anything).Return([]string{"chat", "pager"}, nil).Maybe()
	l.OnActivity(notices.Notify, mock.Anything, mock.Anything).Maybe().
		Return(func(_ context.Context, notice monitor.Notice) error {
			if notice.Channel == "chat" {
				return errors.New("connection refused")
			}
			l.told = append(l.told, string(notice.Decision.Kind)+" by "+notice.Decision.By)
			l.ids = append(l.ids, notice.ID)
			return nil
		})
	return l
}

// send sends an update at a time after the start.
func (l *fleetLife) send(after time.Duration, name string, argument any) {
	l.RegisterDelayedCallback(func() {
		l.UpdateWorkflow(name, fmt.Sprint(name, "-", l.Now().UnixNano(), "-", l.updates), &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { assert.NoError(l.t, err) },
			OnComplete: func(_ any, err error) {
				assert.NoError(l.t, err)
				l.updates++
			},
		}, argument)
	}, after)
}

// live lets the fleet live its run to its end.
func (l *fleetLife) live(fleet fleet.Fleet) error {
	l.t.Helper()
	l.ExecuteWorkflow(workflows.FleetType, fleet)
	require.True(l.t, l.IsWorkflowCompleted())
	return l.GetWorkflowError()
}

// next is what the run has handed on to its successor.
func (l *fleetLife) next() (fleet fleet.Fleet) {
	l.t.Helper()
	var asNew *workflow.ContinueAsNewError
	require.ErrorAs(l.t, l.GetWorkflowError(), &asNew)
	require.NoError(l.t, converter.GetDefaultDataConverter().FromPayloads(asNew.Input, &fleet))
	return fleet
}

// The server refuses every update past 2,000 a run, and nobody is retrained then.
func TestAFleetHandsOnInTimeWhileAChannelIsAway(t *testing.T) {
	const serversLimit = 2000
	for name, send := range map[string]func(*fleetLife, int){
		"permits behind one freeze": func(l *fleetLife, i int) {
			if i == 0 {
				l.send(0, workflows.UpdateFreeze, fleet.Freeze{Teams: []string{"search"}, By: "ada"})
			}
			l.send(time.Duration(i)*10*time.Millisecond, workflows.UpdatePermit, workflows.Permit{ModelName: "fraud"})
		},
		"freezes in a loop": func(l *fleetLife, i int) {
			l.send(time.Duration(i)*10*time.Millisecond, workflows.UpdateFreeze, fleet.Freeze{By: fmt.Sprint("loop ", i)})
		},
		"lifting what is not frozen": func(l *fleetLife, i int) {
			l.send(time.Duration(i)*10*time.Millisecond, workflows.UpdateUnfreeze, fleet.Freeze{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newFleetLife(t)
			for part := range 5 {
				l.RegisterDelayedCallback(func() { // the environment queues less than a thousand callbacks
					for i := range 300 {
						send(l, 300*part+i)
					}
				}, time.Duration(part))
			}
			began := l.Now()
			require.True(t, workflow.IsContinueAsNewError(l.live(fleet.Fleet{})))
			assert.Less(t, l.updates, serversLimit)
			assert.GreaterOrEqual(t, l.updates, 1000, "each is answered")
			assert.Less(t, l.Now().Sub(began), time.Minute, "no channel is waited for")
			assert.LessOrEqual(t, len(l.next().Notices), 200)
		})
	}
}

func TestARefusedFreezeCountsToo(t *testing.T) {
	l := newFleetLife(t)
	var full fleet.Fleet
	for i := range 100 {
		require.NoError(t, full.Add(noon, fleet.Freeze{Teams: []string{fmt.Sprint("team-", i)}}))
	}
	full.Notices = nil
	refused := 0
	for part := range 2 {
		l.RegisterDelayedCallback(func() {
			for i := range 600 {
				l.UpdateWorkflow(workflows.UpdateFreeze, fmt.Sprint(part, i), &testsuite.TestUpdateCallback{
					OnAccept: func() {}, OnReject: func(error) {},
					OnComplete: func(_ any, err error) {
						assert.ErrorContains(t, err, "100 freezes are in force")
						refused++
					},
				}, fleet.Freeze{Teams: []string{"one-too-many"}})
			}
		}, time.Duration(part+1)*time.Second)
	}
	require.True(t, workflow.IsContinueAsNewError(l.live(full)))
	assert.GreaterOrEqual(t, refused, 1000)
	assert.Less(t, refused, 2000)
}

func TestAChannelThatAnswersIsToldOnceAndInOrderWhateverTheOthersDo(t *testing.T) {
	first := newFleetLife(t)
	first.send(time.Second, workflows.UpdateFreeze, fleet.Freeze{By: "ada"})
	first.send(2*time.Second, workflows.UpdateUnfreeze, fleet.Freeze{By: "bob"})
	first.RegisterDelayedCallback(func() { first.SetContinueAsNewSuggested(true) }, time.Minute)
	require.True(t, workflow.IsContinueAsNewError(first.live(fleet.Fleet{})))
	assert.Equal(t, []string{"fleet_frozen by ada", "fleet_unfrozen by bob"}, first.told)

	handed := first.next()
	var waiting []string
	for _, n := range handed.Notices {
		waiting = append(waiting, n.Channel+": "+n.Decision.By)
	}
	assert.Equal(t, []string{"chat: ada", "chat: bob"}, waiting, "what the chat has not been told")

	second := newFleetLife(t)
	second.SetStartTime(first.Now())
	second.SetContinuedExecutionRunID("previous-run")
	second.send(time.Second, workflows.UpdateFreeze, fleet.Freeze{By: "cleo"})
	second.RegisterDelayedCallback(func() { second.SetContinueAsNewSuggested(true) }, 3*time.Hour)
	require.True(t, workflow.IsContinueAsNewError(second.live(handed)))
	assert.Equal(t, []string{"fleet_frozen by cleo"}, second.told)
	assert.Empty(t, second.next().Notices, "the chat is given up, and the log says so")
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(append(first.ids, second.ids...)))), 3, "each by an id of its own")
}

func TestAFleetThatIsCancelledLiftsItsFreezesSaysSoAndEnds(t *testing.T) {
	l := newFleetLife(t)
	l.send(time.Second, workflows.UpdateFreeze, fleet.Freeze{By: "ada"})
	l.RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
	l.send(2*time.Minute, workflows.UpdatePermit, workflows.Permit{ModelName: "fraud"}) // the chat holds the end up
	require.NoError(t, l.live(fleet.Fleet{}))
	assert.Equal(t, []string{"fleet_frozen by ada", "fleet_unfrozen by Temporal"}, l.told)
	assert.Equal(t, 2, l.updates)
}

func TestAFreezeAfterACancellationKeepsTheFleet(t *testing.T) {
	l := newFleetLife(t)
	l.send(time.Second, workflows.UpdateFreeze, fleet.Freeze{By: "ada"})
	l.RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
	l.send(2*time.Minute, workflows.UpdateFreeze, fleet.Freeze{By: "bob"})
	l.RegisterDelayedCallback(func() { l.SetContinueAsNewSuggested(true) }, 5*time.Hour)
	require.True(t, workflow.IsContinueAsNewError(l.live(fleet.Fleet{})))
	require.Len(t, l.next().Freezes, 1)
	assert.Equal(t, "bob", l.next().Freezes[0].By)
}

func TestAQuestionAboutAPolicyIsAnsweredAndLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		policy any
		says   string
		taken  bool
	}{
		"a good one":            {map[string]any{"cooldown": "2h"}, "would be taken", true},
		"one with every fault":  {map[string]any{"colour": "red", "cooldown": "-1s"}, "set-policy refused: colour: unknown field", false},
		"no policy is defaults": {map[string]any{}, "would be taken", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newFleetLife(t)
			var answer error
			l.RegisterDelayedCallback(func() {
				l.UpdateWorkflow(workflows.UpdateCheckPolicy, "question", &testsuite.TestUpdateCallback{
					OnAccept: func() { t.Error("a question is never accepted") },
					OnReject: func(err error) { answer = err },
				}, test.policy)
			}, time.Second)
			l.RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
			l.ExecuteWorkflow(workflows.FleetType, fleet.Fleet{})

			require.ErrorContains(t, answer, test.says)
			assert.Equal(t, test.taken, workflows.WouldTake(answer))
		})
	}
}
