package workflows_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
)

// Every monitor that ever ran must be able to go on with today's code. The
// histories are real ones, recorded by e2e/record.
func TestRecordedHistoriesReplay(t *testing.T) {
	histories, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories)
	traced := &workflows.Traced{Record: func(s workflows.Span) { t.Errorf("%s is told again in replay", s.Decision.Kind) }}
	for i := range 2 * len(histories) {
		history, options, with := histories[i/2], worker.WorkflowReplayerOptions{DisableDeadlockDetection: true}, "untraced"
		if i%2 == 1 {
			options.Interceptors, with = []interceptor.WorkerInterceptor{traced}, "traced"
		}
		t.Run(filepath.Base(history)+"/"+with, func(t *testing.T) {
			replayer, err := worker.NewWorkflowReplayerWithOptions(options)
			require.NoError(t, err)
			replayer.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
			file, err := os.Open(history)
			require.NoError(t, err)
			defer func() { _ = file.Close() }()
			recorded, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
			require.NoError(t, err)
			started := recorded.Events[0].GetWorkflowExecutionStartedEventAttributes()
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(nil, recorded, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: started.WorkflowId, RunID: started.OriginalExecutionRunId},
			}))
		})
	}
}
