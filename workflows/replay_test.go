package workflows_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	workers := map[string]struct {
		workflows.Worker
		interceptors []interceptor.WorkerInterceptor
	}{
		"untraced":                       {},
		"traced":                         {interceptors: []interceptor.WorkerInterceptor{traced}},
		"told since to take sealed only": {Worker: workflows.Worker{NeedsSeal: true}},
	}
	for i := range len(workers) * len(histories) {
		history := histories[i/len(workers)]
		by := slices.Sorted(maps.Keys(workers))[i%len(workers)]
		t.Run(filepath.Base(history)+"/"+by, func(t *testing.T) {
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
				DisableDeadlockDetection: true, Interceptors: workers[by].interceptors,
			})
			require.NoError(t, err)
			replayer.RegisterWorkflowWithOptions(workers[by].MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
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
