package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

func TestAnUpdateThatAFailingTaskTookAlongIsSentAgainByTheSameID(t *testing.T) {
	var c mocks.Client
	c.On("DescribeWorkflowExecution", mock.Anything, mock.Anything, mock.Anything).Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING},
	}, nil)
	var ids []string
	note := func(arguments mock.Arguments) {
		ids = append(ids, arguments[1].(client.UpdateWorkflowOptions).UpdateID)
	}
	c.On("UpdateWorkflow", mock.Anything, mock.Anything).Run(note).Return(nil, serviceerror.NewWorkflowNotReady("task failed")).Twice()
	var answered mocks.WorkflowUpdateHandle
	answered.On("Get", mock.Anything, mock.Anything).Run(func(arguments mock.Arguments) {
		require.NoError(t, json.Unmarshal([]byte(`{"phase": "paused", "later": 1}`), arguments[1]))
	}).Return(nil)
	c.On("UpdateWorkflow", mock.Anything, mock.Anything).Run(note).Return(&answered, nil).Once()

	result, _, err := fakeServer(&c).control(t.Context(), "fraud", contract.UpdatePause, monitor.Control{By: "ada"})

	require.NoError(t, err)
	require.Equal(t, contract.PhasePaused, result.Phase)
	require.Len(t, ids, 3)
	require.Equal(t, []string{ids[0], ids[0]}, ids[1:])
	encoded, err := json.Marshal(result)
	require.NoError(t, err)
	require.JSONEq(t, `{"phase": "paused", "later": 1}`, string(encoded), "what a newer monitor answers is shown as it came")
}

func TestAnUpdateOfAMonitorWhoseTasksFailEndsWithTheTimeout(t *testing.T) {
	var c mocks.Client
	c.On("DescribeWorkflowExecution", mock.Anything, mock.Anything, mock.Anything).Return(&workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING},
	}, nil)
	c.On("UpdateWorkflow", mock.Anything, mock.Anything).Return(nil, serviceerror.NewWorkflowNotReady("task failed"))
	s := fakeServer(&c)
	s.timeout = 1

	_, _, err := s.control(t.Context(), "fraud", contract.UpdatePause, monitor.Control{By: "ada"})

	require.ErrorIs(t, err, errNoAnswer)
	require.ErrorContains(t, err, "it may still be carried out")
}
