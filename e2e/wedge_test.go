package e2e

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

// A monitor must not wedge: no input that the server takes, alone or piled up, and no
// reason to wait may keep it from deciding, or end it. The tests of wedge_*_test.go
// hold that on a real server, with a worker that has little of a processor. They
// assert that it gets on and that counts are exact, never how fast.

// startThrottledWorker runs the worker on a quarter of one processor.
func startThrottledWorker(t *testing.T, taskQueue string, env ...string) *process {
	t.Helper()
	p := startWorker(t, taskQueue, append(env, "LOG_LEVEL=error", "GOMAXPROCS=1")...)
	p.throttle(t)
	return p
}

// throttle stops the process for 75 of every 100 ms, until the test ends.
func (p *process) throttle(t *testing.T) {
	t.Helper()
	end := make(chan struct{})
	hold := func(signal syscall.Signal, d time.Duration) (ended bool) {
		_ = p.cmd.Process.Signal(signal) // it may have been killed
		select {
		case <-end:
			return true
		case <-time.After(d):
			return false
		}
	}
	var throttling sync.WaitGroup
	throttling.Go(func() {
		for !hold(syscall.SIGSTOP, 75*time.Millisecond) && !hold(syscall.SIGCONT, 25*time.Millisecond) {
		}
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	})
	t.Cleanup(func() {
		close(end)
		throttling.Wait()
	})
}

// Of a scaled server: when it suggests that a run hands on, and when it ends a run for
// good, in events of history. The default server has 4,096 and 51,200.
const (
	scaledSuggestion = 160
	scaledLimit      = 2000
)

// useScaledServer starts a dev server with smaller limits of a run's history, which the
// test has for its server.
func useScaledServer(t *testing.T) {
	t.Helper()
	scaled, err := testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath: temporalPath, DBFilename: filepath.Join(t.TempDir(), "temporal.db"), LogLevel: "error",
		ClientOptions: &client.Options{Logger: quietLog}, Stdout: io.Discard, Stderr: io.Discard,
		ExtraArgs: []string{
			"--dynamic-config-value", fmt.Sprint("limit.historyCount.suggestContinueAsNew=", scaledSuggestion),
			"--dynamic-config-value", fmt.Sprint("limit.historyCount.error=", scaledLimit),
		},
	})
	require.NoError(t, err)
	shared := server
	server = scaled
	t.Cleanup(func() {
		server = shared
		_ = scaled.Stop()
	})
}

// runsOf counts the runs of a model's monitor until now, and their events.
func runsOf(t *testing.T, model string) (runs, events int) {
	t.Helper()
	for run := ""; runs == 0 || run != ""; runs++ {
		d, err := server.Client().DescribeWorkflowExecution(t.Context(), contract.WorkflowID(model), run)
		require.NoError(t, err)
		events += int(d.GetWorkflowExecutionInfo().GetHistoryLength())
		first, err := server.Client().GetWorkflowHistory(t.Context(), contract.WorkflowID(model), run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
		require.NoError(t, err)
		run = first.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
	}
	return runs, events
}

// ownCooldown is the cooldown of wedge tests' policies, which no default policy has.
const ownCooldown = 42 * time.Minute

// watched puts a policy of rules in force, and waits until a monitor goes by it.
func watched(t *testing.T, queue, model string, rules ...string) {
	t.Helper()
	mustStarter(t, queue, `{"model_name": "`+model+`", "cooldown": "42m", "rules": [`+strings.Join(rules, ",")+`]}`, "apply", "-")
	until(t, model, "it is watched", func(s monitor.Status) bool { return time.Duration(s.Policy.Cooldown.Or(0)) == ownCooldown })
}

// livesOn shows that a monitor goes on under its own policy: it counts and decides.
func livesOn(t *testing.T, model string) monitor.Status {
	t.Helper()
	before := status(t, model)
	require.NoError(t, signalUntilTaken(t.Context(), model, contract.SignalMetric, rawJSON([]byte(breach(model)))))
	after := until(t, model, "another breach is counted, and one was acted upon", func(s monitor.Status) bool {
		return s.Events > before.Events && s.Retrainings.Requested > 0 && s.Current == nil
	})
	require.Equal(t, ownCooldown, time.Duration(after.Policy.Cooldown.Or(0)))
	return after
}

// warnings are rules that a breach of accuracy violates, and that trigger nothing.
func warnings(n int) (rules []string) {
	for i := range n {
		rules = append(rules, fmt.Sprintf(`{"name": "w%d", "metric": "accuracy", "below": 0.9%03d, "severity": "warning"}`, i, i))
	}
	return rules
}

const accuracyRule = `{"metric": "accuracy", "below": 0.9}`
