// Command record makes the histories that workflows/replay_test.go replays: it
// runs monitors through their lives on a real dev server and saves what the
// server remembers. Run it, from the repository's root, when a history of a new
// kind is wanted; never to make a failing replay pass:
//
//	go run ./e2e/record -temporal "$(tools/temporal.sh)" -out workflows/testdata
//
// It writes only histories that are not there yet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/index"
	"github.com/modelvigil/modelvigil/workflows/lastpolicy"
)

func main() {
	temporal := flag.String("temporal", "temporal", "path of the Temporal CLI")
	out := flag.String("out", "workflows/testdata", "folder to write to")
	flag.Parse()
	if err := record(context.Background(), *temporal, *out); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

const queue = contract.DefaultTaskQueue

func record(ctx context.Context, temporal, out string) error {
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath: temporal, LogLevel: "error", Stdout: io.Discard,
		ClientOptions: &client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
	})
	if err != nil {
		return err
	}

	defer func() { _ = server.Stop() }()
	c := server.Client()
	if _, err := index.Ensure(ctx, c, client.DefaultNamespace); err != nil {
		return err
	}

	monitors := worker.New(c, queue, worker.Options{})
	monitors.RegisterWorkflowWithOptions(workflows.Worker{HasIndex: func() bool { return true }}.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	lastpolicy.Register(monitors, c, converter.GetDefaultDataConverter())
	calls := &activities.Retraining{
		Backends: map[string]modelops.ModelOps{"follows": follows{}, "accepts": accepts{}, "refuses": refuses{}},
		Default:  "follows", PollInterval: 100 * time.Millisecond,
	}
	retrainings := worker.New(c, workflows.RetrainingTaskQueue(queue), worker.Options{DisableWorkflowWorker: true})
	followings := worker.New(c, workflows.FollowingTaskQueue(queue), worker.Options{DisableWorkflowWorker: true})
	retrainings.RegisterActivity(calls)
	followings.RegisterActivity(calls)
	if err := errors.Join(monitors.Start(), retrainings.Start(), followings.Start()); err != nil {
		return err
	}

	defer monitors.Stop()
	defer retrainings.Stop()
	defer followings.Stop()

	for name, live := range lives {
		path := filepath.Join(out, name+".json")
		if _, err := os.Stat(path); err == nil {
			continue
		}
		r := &recorder{c, name}
		if err := live(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := r.save(ctx, path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}

		fmt.Println("wrote", path)
	}

	return nil
}

// The backends of the recordings.
type (
	follows struct{}
	accepts struct{}
	refuses struct{}
)

func (follows) ScheduleRetraining(_ context.Context, r modelops.Request) (modelops.Job, error) {
	return modelops.Job{ID: r.RequestID, Followed: true}, nil
}

func (follows) RetrainingOutcome(_ context.Context, r modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	if time.Since(r.TriggeredAt) < time.Second {
		return modelops.Outcome{}, modelops.ErrRunning
	}
	return modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"}, nil
}

func (accepts) ScheduleRetraining(_ context.Context, r modelops.Request) (modelops.Job, error) {
	return modelops.Job{ID: r.RequestID}, nil
}

func (refuses) ScheduleRetraining(context.Context, modelops.Request) (modelops.Job, error) {
	return modelops.Job{}, modelops.Final(errors.New("no such pipeline"))
}

// recorder drives one monitor.
type recorder struct {
	client client.Client
	model  string
}

func (r *recorder) signal(ctx context.Context, name string, payload any) error {
	options := hub.StartOptions(r.model, queue)
	_, err := r.client.SignalWithStartWorkflow(ctx, options.ID, name, payload, options, contract.WorkflowType)
	return err
}

func (r *recorder) events(ctx context.Context, accuracy ...float64) error {
	for _, a := range accuracy {
		if err := r.signal(ctx, contract.SignalMetric, metric.NewEvent(r.model, "v1", a, 120, 0.02)); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) update(ctx context.Context, id, name string, payload any) error {
	handle, err := r.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: contract.WorkflowID(r.model), UpdateID: id, UpdateName: name, Args: []any{payload},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return handle.Get(ctx, nil)
}

// until waits until the status is as wanted.
func (r *recorder) until(ctx context.Context, wanted func(monitor.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ticker := time.NewTicker(50 * time.Millisecond); ; {
		var s monitor.Status
		answer, err := r.client.QueryWorkflow(ctx, contract.WorkflowID(r.model), "", contract.QueryStatus)
		if err == nil && answer.Get(&s) == nil && wanted(s) {
			return nil
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the status is never as wanted, last %+v: %w", s, ctx.Err())
		}
	}
}

// save writes the history of the last run.
func (r *recorder) save(ctx context.Context, path string) error {
	var history historypb.History
	iterator := r.client.GetWorkflowHistory(ctx, contract.WorkflowID(r.model), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		if err != nil {
			return err
		}
		history.Events = append(history.Events, event)
	}

	encoded, err := protojson.MarshalOptions{Indent: " "}.Marshal(&history)
	if err != nil {
		return err
	}

	return os.WriteFile(path, append(encoded, '\n'), 0o644)
}

// run is the id of the model's run of now.
func (r *recorder) run(ctx context.Context) (string, error) {
	description, err := r.client.DescribeWorkflowExecution(ctx, contract.WorkflowID(r.model), "")
	if err != nil {
		return "", err
	}
	return description.GetWorkflowExecutionInfo().GetExecution().GetRunId(), nil
}
