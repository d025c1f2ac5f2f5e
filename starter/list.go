package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/starter/roll"
	"github.com/modelvigil/modelvigil/workflows"
)

func newListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "List the monitors",
		Long: `List the monitors, as the server's visibility store knows them: running ones and,
with --all, the ended ones that the namespace still retains. It needs no worker.
A start or an end may take the store a second or two to show.`,
		Example: `  modelvigil list
  modelvigil list --all
  modelvigil list -o json | jq -r '.monitors[].model_name'`,
		Args: noArguments,
	}
	timeout, output := timeoutFlag(command), outputFlag(command)
	all := command.Flags().Bool("all", false, "ended monitors too")
	command.RunE = func(command *cobra.Command, _ []string) error {
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		listed, err := s.list(command.Context(), *all)
		if err != nil {
			return err
		}
		freezes, err := s.freezes(command.Context())
		if err != nil {
			return err
		}
		if *output == asJSON {
			wire := map[string]any{"monitors": listed}
			if len(freezes) > 0 {
				wire["freezes"] = freezes
			}
			return writeJSON(command.OutOrStdout(), wire)
		}

		for i := range freezes {
			_, _ = fmt.Fprintln(command.OutOrStdout(), plain.Text(freezes[i].String()))
		}
		return printList(command.OutOrStdout(), listed)
	}

	return command
}

// listedMonitor is one line of the list.
type listedMonitor struct {
	ModelName  string       `json:"model_name"`
	State      string       `json:"state"` // running, stopped, failed, cancelled, terminated, timed_out
	Started    time.Time    `json:"started"`
	Closed     time.Time    `json:"closed,omitzero"`
	TaskQueue  string       `json:"task_queue"`
	WorkflowID string       `json:"workflow_id"`
	RunID      string       `json:"run_id"`
	pinnedTo   roll.Version // to whose workers; empty: to none
	// Glance is what the monitor says of itself.
	monitor.Glance
}

// list asks the visibility store, and returns one entry per model: running ones
// first, then by name.
func (s *server) list(ctx context.Context, all bool) ([]listedMonitor, error) {
	query := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus != 'ContinuedAsNew'", contract.WorkflowType)
	if !all {
		query = fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", contract.WorkflowType)
	}
	return s.listedBy(ctx, query)
}

// listedBy is what the visibility store has for a query, as list returns it.
func (s *server) listedBy(ctx context.Context, query string) ([]listedMonitor, error) {
	latest := map[string]listedMonitor{}
	for page := []byte(nil); ; {
		bounded, cancel := s.bounded(ctx)
		answer, err := s.ListWorkflow(bounded, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.namespace, Query: query, PageSize: 1000, NextPageToken: page,
		})
		cancel()
		if isLate(err) {
			return nil, fmt.Errorf("list monitors: the server at %s gave no answer within %v", s.address, s.timeout)
		} else if err != nil {
			return nil, s.explain(ctx, "", "", fmt.Errorf("list monitors: %w", err))
		}

		for _, execution := range answer.GetExecutions() {
			entry := s.listed(execution)
			if known, seen := latest[entry.WorkflowID]; !seen || entry.Started.After(known.Started) {
				latest[entry.WorkflowID] = entry
			}
		}

		page = answer.GetNextPageToken()
		if len(page) == 0 {
			break
		}
	}

	monitors := make([]listedMonitor, 0, len(latest))
	for _, entry := range latest {
		monitors = append(monitors, entry)
	}
	slices.SortFunc(monitors, func(a, b listedMonitor) int {
		if aRuns, bRuns := a.Closed.IsZero(), b.Closed.IsZero(); aRuns != bRuns {
			if aRuns {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.ModelName, b.ModelName), cmp.Compare(a.WorkflowID, b.WorkflowID))
	})
	return monitors, nil
}

func (s *server) listed(execution *workflowpb.WorkflowExecutionInfo) listedMonitor {
	entry := listedMonitor{
		State: state(execution.GetStatus()), Started: execution.GetStartTime().AsTime(), TaskQueue: execution.GetTaskQueue(),
		WorkflowID: execution.GetExecution().GetWorkflowId(), RunID: execution.GetExecution().GetRunId(),
	}
	entry.ModelName, _ = contract.ModelName(entry.WorkflowID) // empty where the id is nobody's
	if field := execution.GetMemo().GetFields()[workflows.MemoGlance]; field != nil {
		_ = encryption.DataConverter(s.temporal).FromPayload(field, &entry.Glance) // nothing is shown, if it is not ours
	}
	entry.pinnedTo = roll.PinnedTo(execution)
	if execution.GetCloseTime() != nil {
		entry.Closed = execution.GetCloseTime().AsTime()
	}

	return entry
}

// shownReason is how much of a failure's reason a list has room for, in bytes.
const shownReason = 100

func printList(w io.Writer, monitors []listedMonitor) error {
	if len(monitors) == 0 {
		_, err := fmt.Fprintln(w, "no monitors; `modelvigil apply` starts one, and so does a model's first event")
		return err
	}

	rows := [][]string{{"MODEL", "STATE", "LIVE VERSION", "RUN STARTED", "CLOSED", "LAST FAILURE"}}
	for _, m := range monitors {
		row := []string{plain.Text(cmp.Or(m.ModelName, "("+m.WorkflowID+")")), plain.Words(cmp.Or(m.Waits, string(m.Phase), m.State)), plain.Text(m.ModelVersion), plain.Time(m.Started), "", ""}
		if !m.Closed.IsZero() {
			row[1] = plain.Words(m.State)
			row[4] = plain.Time(m.Closed)
		}
		if f := m.Failure; f != nil {
			row[5] = plain.Excerpt(cmp.Or(f.Reason, string(f.Kind)), shownReason)
		}
		rows = append(rows, row)
	}

	_, err := io.WriteString(w, plain.Table(rows))
	return err
}

// completionTimeout bounds what a shell waits for the names of models.
const completionTimeout = 2 * time.Second

// completeModels offers the models that are watched.
func completeModels(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := connect(command, completionTimeout)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	defer s.Close()
	var names []string
	for _, name := range s.watched(command.Context()) {
		if plain.Text(name) == name {
			names = append(names, name)
		}
	}

	return names, cobra.ShellCompDirectiveNoFileComp
}

// watched are the models whose monitors run; none where the server can't say.
func (s *server) watched(ctx context.Context) (names []string) {
	monitors, _ := s.list(ctx, false)
	for _, m := range monitors {
		names = append(names, m.ModelName)
	}
	return names
}
