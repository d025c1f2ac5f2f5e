package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

const (
	// freezesAge is how old this process's idea of the freezes may be: so long a
	// new one may take to hold the next retraining.
	freezesAge = 2 * time.Second
	// monitorsAge is how old the number of monitors may be, which visibility counts.
	monitorsAge = time.Minute
)

// gate asks the fleet whether a model may be retrained.
type gate struct {
	client    client.Client
	data      converter.DataConverter
	namespace string
	taskQueue string
	brake     brake

	mu       sync.Mutex
	freezes  []fleet.Freeze
	looked   time.Time
	monitors int64
	counted  time.Time
}

// Permit holds a model back that is frozen. A fleet with a brake counts all others.
func (g *gate) Permit(ctx context.Context, model, team string) (reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, workflows.PermitTimeout)
	defer cancel()
	g.mu.Lock() // the calls that wait here need what this one finds out
	defer g.mu.Unlock()
	if err := g.look(ctx); err != nil {
		return "", err
	}

	frozen := fleet.Frozen(g.freezes, model, team)
	if frozen == nil && g.brake.share > 0 {
		frozen, err = g.ask(ctx, model, team)
		if err != nil {
			return "", err
		}
	}

	if frozen == nil {
		return "", nil
	}

	return frozen.String(), nil
}

// look reads the freezes anew when what is known of them is too old.
func (g *gate) look(ctx context.Context) error {
	if time.Since(g.looked) < freezesAge {
		return nil
	}
	freezes, err := freezesOf(ctx, g.client, g.data, g.taskQueue)
	if err == nil {
		g.freezes = freezes
		g.looked = time.Now()
	}
	return err
}

// freezesOf reads the freezes from the fleet's memo. Without a fleet there are none.
func freezesOf(ctx context.Context, c client.Client, data converter.DataConverter, taskQueue string) (freezes []fleet.Freeze, err error) {
	described, err := c.DescribeWorkflowExecution(ctx, workflows.FleetID(taskQueue), "")
	var missing *serviceerror.NotFound
	if err != nil && !errors.As(err, &missing) {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	if field := info.GetMemo().GetFields()[workflows.MemoFreezes]; field != nil && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		if err := data.FromPayload(field, &freezes); err != nil {
			return nil, fmt.Errorf("read the freezes in the memo of %s: %w", workflows.FleetID(taskQueue), err)
		}
	}

	return freezes, nil
}

// ask counts a model's retraining, and starts the fleet where there is none yet.
func (g *gate) ask(ctx context.Context, model, team string) (*fleet.Freeze, error) {
	if time.Since(g.counted) > monitorsAge {
		answer, err := g.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: g.namespace, Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", contract.WorkflowType),
		})
		if err != nil {
			return nil, fmt.Errorf("count the monitors: %w", err)
		}
		g.monitors = answer.GetCount()
		g.counted = time.Now()
	}

	start := g.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: workflows.FleetID(g.taskQueue), TaskQueue: g.taskQueue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflows.FleetType, fleet.Fleet{})
	handle, err := g.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateName: workflows.UpdatePermit, WaitForStage: client.WorkflowUpdateStageCompleted,
			Args: []any{workflows.Permit{ModelName: model, Team: team, Brake: fleet.Brake{
				Share: g.brake.share, Within: policy.Duration(g.brake.within), Monitors: g.monitors,
			}}},
		},
	})
	if err != nil {
		return nil, err
	}

	var frozen *fleet.Freeze
	err = handle.Get(ctx, &frozen)
	return frozen, err
}

// brake is a share of the monitors and a time, as a setting: 20%/10m.
type brake struct {
	share  float64 // 0: no brake
	within time.Duration
}

// maxBrake bounds for how long the fleet remembers who asked.
const maxBrake = 24 * time.Hour

// UnmarshalText reads `20%/10m`.
func (b *brake) UnmarshalText(text []byte) error {
	share, within, both := strings.Cut(string(text), "%/")
	percent, err := strconv.ParseFloat(share, 64)
	d, dErr := time.ParseDuration(within)
	if !both || err != nil || dErr != nil || !(percent > 0 && percent <= 100) || d < time.Minute || d > maxBrake {
		return fmt.Errorf("must be a share of the monitors and a time of 1m to 24h such as 20%%/10m, got %q", text)
	}
	b.share = percent / 100
	b.within = d
	return nil
}
