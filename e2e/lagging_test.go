package e2e

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// laggingProxy is a server whose lists of workflows are behind.
type laggingProxy struct {
	address string

	mu    sync.Mutex
	looks int // at lists
	shows func(looks int, listed []*workflowpb.WorkflowExecutionInfo) []*workflowpb.WorkflowExecutionInfo
}

func startLaggingProxy(t *testing.T) *laggingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &laggingProxy{address: listener.Addr().String()}
	serveProxy(t, listener, p.intercept)
	return p
}

// lists says what lists show from now on of what the server's own do, and counts looks anew.
func (p *laggingProxy) lists(shows func(looks int, listed []*workflowpb.WorkflowExecutionInfo) []*workflowpb.WorkflowExecutionInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = 0
	p.shows = shows
}

// hides leaves out of lists what is said.
func (p *laggingProxy) hides(isHidden func(looks int, listed *workflowpb.WorkflowExecutionInfo) bool) {
	p.lists(func(looks int, listed []*workflowpb.WorkflowExecutionInfo) []*workflowpb.WorkflowExecutionInfo {
		return slices.DeleteFunc(listed, func(info *workflowpb.WorkflowExecutionInfo) bool { return isHidden(looks, info) })
	})
}

// stops lets lists show for ever what they do now.
func (p *laggingProxy) stops(t *testing.T, query string) {
	t.Helper()
	answer, err := server.Client().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: client.DefaultNamespace, Query: query})
	require.NoError(t, err)
	p.lists(func(int, []*workflowpb.WorkflowExecutionInfo) []*workflowpb.WorkflowExecutionInfo {
		return answer.GetExecutions()
	})
}

func (p *laggingProxy) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, request)
	list, isList := answer.(*workflowservice.ListWorkflowExecutionsResponse)
	if !isList || err != nil {
		return answer, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	list.Executions = p.shows(p.looks, list.GetExecutions())
	return list, nil
}

func TestARollGoesByTheMonitorsAndNotByALaggingList(t *testing.T) {
	const queue = "lagging"
	const ofQueue = "TaskQueue = '" + queue + "'"
	models := []string{"lagging-a", "lagging-b", "lagging-c", "lagging-new"}
	startWorker(t, queue)
	for _, model := range models {
		mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", "0.95")
	}
	const oldest, newest = "lagging-a", "lagging-new"
	is := func(listed *workflowpb.WorkflowExecutionInfo, model string) bool {
		return listed.GetExecution().GetWorkflowId() == contract.WorkflowID(model)
	}
	patience.Until(t, "all are listed", func() bool { return len(find(t, ofQueue)) == len(models) })
	proxy := startLaggingProxy(t)
	r := &rolling{t, append(environment(queue), "TEMPORAL_ADDRESS="+proxy.address)}

	// One that the list does not show for a while is waited for, where it is known to be there.
	proxy.hides(func(looks int, listed *workflowpb.WorkflowExecutionInfo) bool {
		return looks <= 4 && is(listed, newest)
	})
	assert.Contains(t, r.says(starterPath, "roll", "--check", "--expect", "4"), "4 monitors of 4 running replayed")

	// Or where the list is only just growing.
	proxy.hides(func(looks int, listed *workflowpb.WorkflowExecutionInfo) bool {
		return looks == 1 && !is(listed, oldest) || looks == 2 && is(listed, newest)
	})
	assert.Contains(t, r.says(starterPath, "roll", "--check"), "4 monitors of 4 running replayed")

	// What never comes is said, and nothing goes on without it.
	proxy.hides(func(_ int, listed *workflowpb.WorkflowExecutionInfo) bool { return is(listed, newest) })
	out, code := r.tries(starterPath, "roll", "never", "--expect", "4", "--timeout", "4s")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "3 of the 4 monitors expected were seen to run within 4s: the server's list lags, or the others have ended")
	assert.NotContains(t, out, "replayed")

	// Of one that continues as new, the run that has ended is listed before the next one is.
	before := described(t, newest).GetRunId()
	patience.Until(t, "it has continued as new", func() bool {
		for range 100 {
			require.NoError(t, signalUntilTaken(t.Context(), newest, contract.SignalMetric, json.RawMessage("[]")))
		}
		return described(t, newest).GetRunId() != before
	})
	proxy.hides(func(_ int, listed *workflowpb.WorkflowExecutionInfo) bool {
		return is(listed, newest) && listed.GetExecution().GetRunId() != before
	})
	patience.Until(t, "its end is listed", func() bool {
		return strings.Contains(r.says(starterPath, "roll", "--check"), "4 monitors of 4 running replayed")
	})

	// And one that has ended may be listed as running still.
	proxy.stops(t, ofQueue+" AND ExecutionStatus = 'Running'")
	mustStarter(t, queue, "", "stop", oldest)
	patience.Until(t, "it has ended", func() bool {
		answer, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(oldest), "")
		return err == nil && answer.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	assert.Contains(t, r.says(starterPath, "roll", "--check"), "3 monitors of 3 running replayed")
}

func TestAPruneGoesByTheMonitorsAndNotByALaggingList(t *testing.T) {
	const queue, model = "lagging-prune", "lagging-handed-over"
	file := func(name string) string {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		require.NoError(t, os.WriteFile(path, []byte("model_name: "+name+"\n"), 0o600))
		return path
	}
	startWorker(t, queue)
	mustStarter(t, queue, "", "apply", file(model), "--owner", "before")
	patience.Until(t, "it is listed with its owner", func() bool {
		return strings.Contains(mustStarter(t, queue, "", "list", "-o", "json"), `"owner": "before"`)
	})
	proxy := startLaggingProxy(t)
	proxy.stops(t, "TaskQueue = '"+queue+"'")

	mustStarter(t, queue, "", "apply", file(model), "--owner", "after")
	patience.Until(t, "it is the new owner's", func() bool {
		return strings.Contains(mustStarter(t, queue, "", "list", "-o", "json"), `"owner": "after"`)
	})
	r := &rolling{t, append(environment(queue), "TEMPORAL_ADDRESS="+proxy.address)}
	said := r.says(starterPath, "apply", file("lagging-other"), "--owner", "before", "--prune", "--yes")
	assert.Contains(t, said, "nothing to prune")
	assert.Equal(t, contract.PhaseWatching, status(t, model).Phase)

	// Nor is whom it was handed to told that there is nothing, though the list has the owner of before.
	said = r.says(starterPath, "apply", file("lagging-other"), "--owner", "after", "--prune", "--yes")
	assert.Contains(t, said, model+": stopped")
}

func TestAPruneSaysOfAMonitorThatIsOnlyStoppingThatItIs(t *testing.T) {
	t.Parallel()
	const queue, model = "pruned-in-flight", "pruned-in-flight"
	startWorker(t, queue, webhookEnv(startPipeline(t))...)
	mustStarter(t, queue, "model_name: "+model+"\n", "apply", "-", "--owner", "stopper")
	mustStarter(t, queue, breach(model)+"\n", "publish", "--file", "-")
	until(t, model, "its retraining is taken", func(s monitor.Status) bool { return s.Current != nil && s.Current.Job != nil })

	prune := func() string {
		return mustStarter(t, queue, "model_name: "+model+"-kept\n", "apply", "-", "--owner", "stopper", "--prune", "--yes")
	}
	const stopping = model + ": stopping; it ends when its retraining in flight is recorded"
	patience.Until(t, "it is listed, and told to stop", func() bool { return strings.Contains(prune(), stopping) })
	assert.Contains(t, prune(), "nothing to prune: every monitor of stopper that the server lists is in the files, or stopping already")
}
