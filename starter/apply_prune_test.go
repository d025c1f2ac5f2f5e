package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

// runOf is what a server knows of a run of a model's monitor, in a list or as its record.
func runOf(t *testing.T, model, owner string, phase contract.Phase, status enumspb.WorkflowExecutionStatus) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	glance, err := converter.GetDefaultDataConverter().ToPayload(monitor.Glance{Phase: phase, Owner: owner})
	require.NoError(t, err)
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: contract.WorkflowID(model), RunId: "run"},
		Status:    status, StartTime: timestamppb.New(time.Unix(0, 0)),
		Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.MemoGlance: glance}},
	}
	if status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		info.CloseTime = timestamppb.New(time.Unix(1, 0))
	}
	return info
}

// What a list shows of a monitor may be of a while ago, and of its runs it may show the last
// but one. Its own record is right, when it is asked.
func TestAPruneStopsWhatIsTheOwnersByItsOwnRecord(t *testing.T) {
	const (
		runs    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		goneOn  = enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
		ended   = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		mine    = "me"
		theirs  = "them"
		watches = contract.PhaseWatching
	)
	mineRuns := runOf(t, "m", mine, watches, runs)
	for name, test := range map[string]struct {
		listed  *workflowpb.WorkflowExecutionInfo
		records []*workflowpb.WorkflowExecutionInfo // one for each time that it is asked, and the last one from then on
		stops   bool
		says    string
	}{
		"listed as it is":                {mineRuns, []*workflowpb.WorkflowExecutionInfo{mineRuns}, true, "m: stopping"},
		"listed by the run before":       {runOf(t, "m", mine, watches, goneOn), []*workflowpb.WorkflowExecutionInfo{mineRuns}, true, "m: stopping"},
		"listed with the owner before":   {runOf(t, "m", theirs, watches, runs), []*workflowpb.WorkflowExecutionInfo{mineRuns}, true, "m: stopping"},
		"handed over since it is listed": {mineRuns, []*workflowpb.WorkflowExecutionInfo{runOf(t, "m", theirs, watches, runs)}, false, "nothing to prune: every monitor of me that the server lists"},
		"handed over while it is asked":  {mineRuns, []*workflowpb.WorkflowExecutionInfo{mineRuns, runOf(t, "m", theirs, watches, runs)}, false, "m: left alone"},
		"ended since it is listed":       {mineRuns, []*workflowpb.WorkflowExecutionInfo{runOf(t, "m", mine, watches, ended)}, false, "nothing to prune"},
		"stopping already":               {mineRuns, []*workflowpb.WorkflowExecutionInfo{runOf(t, "m", mine, contract.PhaseStopping, runs)}, false, "or stopping already"},
		"one of the files":               {runOf(t, "kept", mine, watches, runs), nil, false, "nothing to prune"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &mocks.Client{}
			c.On("ListWorkflow", mock.Anything, mock.Anything).Return(
				func(_ context.Context, asked *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
					answer := &workflowservice.ListWorkflowExecutionsResponse{}
					if test.listed.Status == runs || strings.Contains(asked.Query, "OR ExecutionStatus = 'ContinuedAsNew'") {
						answer.Executions = append(answer.Executions, test.listed)
					}
					return answer, nil
				})
			asked := 0
			c.On("DescribeWorkflowExecution", mock.Anything, contract.WorkflowID("m"), "").Return(
				func(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
					record := test.records[min(asked, len(test.records)-1)]
					asked++
					return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: record}, nil
				})
			answered := &mocks.WorkflowUpdateHandle{}
			answered.On("Get", mock.Anything, mock.Anything).Return(nil)
			c.On("UpdateWorkflow", mock.Anything, mock.Anything).Return(answered, nil)

			var out bytes.Buffer
			err := fakeServer(c).prune(t.Context(), mine, []document.Document{{Model: "kept"}}, applyOptions{yes: true}, strings.NewReader(""), &out)
			require.NoError(t, err)
			assert.Contains(t, out.String(), test.says)
			if test.stops {
				c.AssertNumberOfCalls(t, "UpdateWorkflow", 1)
			} else {
				c.AssertNotCalled(t, "UpdateWorkflow", mock.Anything, mock.Anything)
			}
		})
	}
}
