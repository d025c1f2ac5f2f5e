package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/workflows"
)

func newFreezeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "freeze",
		Short: "Hold back every start of a retraining: of all models, or of some",
		Long: `Hold back every start of a retraining: of all models, of teams as their policies name
them, or of models whose names fit a pattern. It is for the day on which something
upstream is broken and every model seems to drift. Monitors go on watching. What would
have started is held, and judged again each minute: it starts after modelvigil unfreeze
only if it still breaches. Retrainings under way go on; modelvigil list shows the freezes.

A worker with FLEET_BRAKE freezes all by itself when too many models ask at once.`,
		Example: `  modelvigil freeze --reason "the feature store serves yesterday's data"
  modelvigil freeze --team payments --model 'fraud-*'`,
		Args: noArguments,
	}
	return freezing(command, func(ctx context.Context, s *server, freeze fleet.Freeze) (any, string, error) {
		if err := freeze.Validate(); err != nil {
			return nil, "", wrongUsage(fmt.Errorf("flag --%w", err))
		}
		var freezes []fleet.Freeze
		err := s.tellFleet(ctx, workflows.UpdateFreeze, freeze, &freezes)
		return map[string]any{"freezes": freezes}, freeze.Scope() + ": frozen\n", err
	})
}

func newUnfreezeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "unfreeze",
		Short: "Let retrainings go on",
		Long: `Let retrainings go on: end the freeze of the same scope, or all freezes where none is
given. What is held then starts within a minute, if it still breaches.`,
		Example: `  modelvigil unfreeze
  modelvigil unfreeze --team payments --model 'fraud-*'`,
		Args: noArguments,
	}
	return freezing(command, func(ctx context.Context, s *server, scope fleet.Freeze) (any, string, error) {
		lifted := 0
		err := s.tellFleet(ctx, workflows.UpdateUnfreeze, scope, &lifted)
		if err == nil && lifted == 0 {
			err = fmt.Errorf("no freeze of %s is in force; modelvigil list shows those that are", scope.Scope())
		}
		return map[string]any{"lifted": lifted}, fmt.Sprintf("%s lifted\n", plain.Count(lifted, "freeze")), err
	})
}

// freezing completes a command about a freeze.
func freezing(command *cobra.Command, act func(context.Context, *server, fleet.Freeze) (wire any, text string, err error)) *cobra.Command {
	var freeze fleet.Freeze
	timeout, output := timeoutFlag(command), outputFlag(command)
	flags := command.Flags()
	flags.StringSliceVar(&freeze.Teams, "team", nil, "those of a team; can be repeated")
	flags.StringSliceVar(&freeze.Models, "model", nil, "those whose names fit a pattern such as fraud-*; can be repeated")
	flags.StringVar(&freeze.By, "by", os.Getenv("USER"), "who decides it, for the decision log; a claim that nobody checks")
	flags.StringVar(&freeze.Reason, "reason", "", "why, for the decisions of those that are held")
	command.RunE = func(command *cobra.Command, _ []string) error {
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		wire, text, err := act(command.Context(), s, freeze)
		if err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(command.OutOrStdout(), wire)
		}

		_, err = fmt.Fprint(command.OutOrStdout(), text)
		return err
	}

	return command
}

// tellFleet tells the fleet of the task queue something.
func (s *server) tellFleet(ctx context.Context, update string, argument, answer any) error {
	queue := string(s.settings.TaskQueue)
	return s.explain(ctx, "", queue, s.updateFleet(ctx, queue, update, argument, answer))
}

// updateFleet sends an update to the fleet of a task queue, and starts it where there
// is none yet.
func (s *server) updateFleet(ctx context.Context, queue, update string, argument, answer any) error {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	options := client.StartWorkflowOptions{
		ID: workflows.FleetID(queue), TaskQueue: queue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
	asked := client.UpdateWorkflowOptions{
		UpdateID: uuid.NewString(), UpdateName: update, Args: []any{argument}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	err := carryOut(bounded, answer, func() (client.WorkflowUpdateHandle, error) {
		return s.UpdateWithStartWorkflow(bounded, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: s.NewWithStartWorkflowOperation(options, workflows.FleetType, fleet.Fleet{}), UpdateOptions: asked,
		})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", update, err)
	}

	return nil
}

// freezes are those in force. They are read from the fleet's memo, without a worker.
func (s *server) freezes(ctx context.Context) (freezes []fleet.Freeze, err error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	described, err := s.DescribeWorkflowExecution(bounded, workflows.FleetID(string(s.settings.TaskQueue)), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil, nil
	} else if err != nil {
		return nil, s.explain(ctx, "", "", fmt.Errorf("look for freezes: %w", err))
	}

	info := described.GetWorkflowExecutionInfo()
	if field := info.GetMemo().GetFields()[workflows.MemoFreezes]; field != nil && info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		err = encryption.DataConverter(s.temporal).FromPayload(field, &freezes)
	}
	return freezes, err
}
