package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
)

func newPauseCommand() *cobra.Command {
	return newControlCommand(contract.UpdatePause, &cobra.Command{
		Short: "Hold back retraining of a model",
		Long: `Hold back retraining of a model, by hand too. Events go on being counted, and a
retraining in flight is followed to its end.`,
		Example: `  modelvigil pause fraud --reason "the training cluster is moved tonight"`,
	})
}

func newResumeCommand() *cobra.Command {
	return newControlCommand(contract.UpdateResume, &cobra.Command{
		Short: "End a pause, or close the circuit",
		Long: `End a pause, or close the circuit that too many failures in a row have opened: the next
breach outside the cooldown triggers again.`,
		Example: `  modelvigil resume fraud`,
	})
}

func newRetrainCommand() *cobra.Command {
	return newControlCommand(contract.UpdateRetrain, &cobra.Command{
		Short: "Retrain a model now",
		Long: `Retrain a model now. It restarts the cooldown. --force overrides a cooldown, a blackout,
a budget that is used up and a trigger that waits for approval. A pause, a dry run and
a retraining in flight always win; and without --force it waits for approval itself, if the policy asks for it.`,
		Example: `  modelvigil retrain fraud --reason "new labels have come"
  modelvigil retrain fraud --force --reason "the last one failed, the cluster is mended"`,
	})
}

func newApproveCommand() *cobra.Command {
	return newControlCommand(contract.UpdateApprove, &cobra.Command{
		Short: "Let the trigger that waits for approval go out",
		Long: `Let the trigger that waits for approval go out. The cooldown starts with it. A monitor
that is paused must be resumed first.`,
		Example: `  modelvigil approve fraud --reason "seen on the dashboard, too"`,
	})
}

func newRejectCommand() *cobra.Command {
	return newControlCommand(contract.UpdateReject, &cobra.Command{
		Short: "Drop the trigger that waits for approval",
		Long: `Drop the trigger that waits for approval. The cooldown starts, so that the same question
isn't asked again at once.`,
		Example: `  modelvigil reject fraud --reason "a sale, not a drift"`,
	})
}

func newCancelCommand() *cobra.Command {
	return newControlCommand(contract.UpdateCancel, &cobra.Command{
		Short: "End the retraining in flight",
		Long: `End the retraining in flight. The monitor records it at once, and its backend is told; the
cooldown goes on. A backend that can't be told leaves the decision cancel_failed.`,
		Example: `  modelvigil cancel fraud --reason "trained on the wrong data"`,
	})
}

func newStopCommand() *cobra.Command {
	return newControlCommand(contract.UpdateStop, &cobra.Command{
		Short: "End a model's monitor for good",
		Long: `End a model's monitor for good, after its retraining in flight is recorded. Late
events do not raise it again; modelvigil apply does.`,
		Example: `  modelvigil stop fraud --reason "the model is retired"`,
	})
}

// newControlCommand completes the command that sends an operator's word.
func newControlCommand(update string, command *cobra.Command) *cobra.Command {
	var control monitor.Control
	command.Use = update + " MODEL"
	command.Args = oneModel
	command.ValidArgsFunction = completeModels
	timeout, output := timeoutFlag(command), outputFlag(command)
	flags := command.Flags()
	flags.StringVar(&control.By, "by", os.Getenv("USER"), "who decides it, for the decision log; a claim that nobody checks")
	flags.StringVar(&control.Reason, "reason", "", "why, for the decision log")
	if update == contract.UpdateRetrain {
		flags.BoolVar(&control.Force, "force", false, "override "+contract.ForceOverrides)
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		result, stopped, err := s.control(command.Context(), args[0], update, control)
		if err != nil {
			return err
		}
		if *output == asJSON {
			return writeJSON(command.OutOrStdout(), result)
		}

		_, err = fmt.Fprintln(command.OutOrStdout(), told(args[0], update, result, stopped))
		return err
	}

	return command
}

// told says what an update has done.
func told(model, update string, result updateResult, stopped bool) string {
	model = plain.Text(model)
	switch update {
	case contract.UpdatePause:
		return model + ": paused"
	case contract.UpdateResume:
		return fmt.Sprintf("%s: resumed, now %s", model, plain.Words(result.Phase))
	case contract.UpdateRetrain, contract.UpdateApprove:
		if result.RequestID == "" {
			return fmt.Sprintf("%s: asked for, now %s", model, plain.Words(result.Phase))
		}
		return fmt.Sprintf("%s: retraining %s asked for, now %s", model, plain.Text(result.RequestID), plain.Words(result.Phase))
	case contract.UpdateReject:
		return fmt.Sprintf("%s: rejected, now %s", model, plain.Words(result.Phase))
	case contract.UpdateCancel:
		return fmt.Sprintf("%s: retraining %s cancelled, now %s", model, plain.Text(result.RequestID), plain.Words(result.Phase))
	case contract.UpdateStop:
		if stopped {
			return model + ": stopped"
		}
		return model + ": stopping; it ends when its retraining in flight is recorded"
	}

	return fmt.Sprintf("%s: %s done, now %s", model, update, plain.Words(result.Phase))
}

// control sends an operator's word to a model's monitor, and says whether that
// has ended it. A send that is repeated is known by its update id.
func (s *server) control(ctx context.Context, model, update string, control monitor.Control) (updateResult, bool, error) {
	found, err := s.find(ctx, model)
	if err != nil {
		return updateResult{}, false, err
	}
	if found.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return updateResult{}, false, hasEnded(model, state(found.GetStatus()), found.GetCloseTime().AsTime())
	}

	bounded, cancel := s.bounded(ctx)
	defer cancel()
	options := client.UpdateWorkflowOptions{
		UpdateID: uuid.NewString(), WorkflowID: contract.WorkflowID(model), UpdateName: update, Args: []any{control},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	var result updateResult
	err = carryOut(bounded, &result, func() (client.WorkflowUpdateHandle, error) { return s.UpdateWorkflow(bounded, options) })
	if err != nil {
		err = s.explain(ctx, model, found.GetTaskQueue(), err)
		if bounded.Err() != nil {
			err = fmt.Errorf("%w; look with `modelvigil status` before you send it again, for it may still be carried out", err)
		}
		return result, false, err
	}
	if update != contract.UpdateStop {
		return result, false, nil
	}

	found, err = s.find(ctx, model)
	return result, err == nil && found.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// hasEnded says that a monitor takes nothing any more.
func hasEnded(model, state string, when time.Time) error {
	switch state {
	case "terminated", "cancelled":
		state = "was " + state
	}
	return fmt.Errorf("the monitor of %q %s on %s; `modelvigil apply` starts it anew", model, plain.Words(state), plain.Time(when))
}

// oneModel takes exactly one argument, a model's name.
func oneModel(command *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("takes one MODEL, got %s", plain.Count(len(args), "argument"))
	}
	if err := contract.ValidateModelName(args[0]); err != nil {
		return errors.New("MODEL: " + errors.Unwrap(err).Error())
	}
	return nil
}
