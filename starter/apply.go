package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/difference"
	"github.com/modelvigil/modelvigil/workflows"
)

// maxApplying is how many policies are applied at once.
const maxApplying = 8

func newApplyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "apply FILE…",
		Short: "Watch models by policies from files",
		Long: `Watch models by policies from files, YAML or JSON, any number of documents to a file;
- is standard input. A model that isn't watched yet, or whose monitor was stopped, gets
a monitor; of the others the policy is changed. If any document has a fault, or names a
backend or a channel that the worker doesn't have, every fault is named and nothing is
applied.

A document is a model's name and what differs from the default policy:

  model_name: fraud
  rules:                                 # in order of precedence; these three are the default
    - {metric: accuracy, below: 0.90}    # strict: 0.90 itself is healthy
    - {metric: latency_ms, above: 200}
    - {metric: drift_score, above: 0.10} # or any name in an event's metrics
  cooldown: 1h                           # no two retrainings are closer; 0s means none
  retraining:
    backend: webhook                     # default: the worker's MODELOPS_BACKEND
    params: {dataset: last-30-days}      # handed to the backend as they are
    timeout: 24h

Periods, baselines, approval and all the rest are in docs/policies.md, commented examples
in examples/policies. A folder is all its *.yaml, *.yml and *.json files but
*.profile.json.

A document with defaults is no model's; others inherit from it what they leave out:

  defaults: {teams: [payments], models: ["fraud-*"]}   # neither: for all
  cooldown: 2h

Those of later files win over earlier ones, a document's own fields over all; rules are
replaced as a whole, the fields of retraining one by one.`,
		Example: `  modelvigil apply policy.yaml
  modelvigil apply policies/*.yaml -o json
  echo '{"model_name": "fraud", "cooldown": "2h"}' | modelvigil apply -`,
		Args:              policyFiles,
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	timeout, output := timeoutFlag(command), outputFlag(command)
	var options applyOptions
	flags := command.Flags()
	flags.BoolVar(&options.dryRun, "dry-run", false, "change nothing; ask a worker, and show what would be done, field by field")
	flags.StringVar(&options.owner, "owner", "", "who applies these policies; kept with the monitors, for --prune")
	flags.StringVar(&options.certificate, "certificate", "", "`FILE` that certify -o json has written of these policies: what it says is shown by status while they are in force")
	flags.BoolVar(&options.prune, "prune", false, "stop the owner's monitors that are in none of the files, after asking")
	flags.BoolVar(&options.yes, "yes", false, "prune without asking")
	command.RunE = func(command *cobra.Command, files []string) error {
		if options.prune && options.owner == "" {
			return wrongUsage(errors.New("--prune needs --owner NAME: it stops only what the same owner applied"))
		}
		documents, err := document.Read(files, command.InOrStdin())
		if err != nil {
			return fmt.Errorf("%w\nnothing is applied; mend the %s named above and apply again", err, plain.Count(1+strings.Count(err.Error(), "\n"), "fault"))
		}

		if options.owner != "" {
			for i := range documents {
				documents[i].Policy.Owner = options.owner
				if err := documents[i].Policy.Validate(); err != nil {
					return wrongUsage(fmt.Errorf("--owner: %w", err))
				}
			}
		}

		if err := options.certify(documents); err != nil {
			return wrongUsage(err)
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.askFirst(command, documents, *output); err != nil {
			return err
		}
		if err := s.applyAll(command.Context(), documents, *output, options.dryRun, command.OutOrStdout()); err != nil || !options.prune {
			return err
		}

		out := command.OutOrStdout()
		if *output == asJSON {
			out = command.ErrOrStderr() // what is not JSON
		}
		return s.prune(command.Context(), options.owner, documents, options, command.InOrStdin(), out)
	}

	return command
}

type applyOptions struct {
	dryRun, prune, yes bool
	owner, certificate string
}

// What apply has done.
const (
	applyStarted   = "started"
	applyChanged   = "policy_changed"
	applyUnchanged = "unchanged"
)

// applied is one line of what apply says.
type applied struct {
	ModelName string              `json:"model_name"`
	Result    string              `json:"result,omitempty"`
	Phase     contract.Phase      `json:"phase,omitempty"`
	Changes   []difference.Change `json:"changes,omitempty"` // by field, where a policy is replaced
	Notes     []string            `json:"notes,omitempty"`   // on the policy, as validate has them
	Error     string              `json:"error,omitempty"`
	err       error
}

var errNotTried = errors.New("not tried, because another monitor gave no answer")

// askFirst refuses all documents where a worker would refuse one.
func (s *server) askFirst(command *cobra.Command, documents []document.Document, output format) error {
	refusals, err := s.askAll(command.Context(), documents, command.ErrOrStderr())
	if err != nil {
		return fmt.Errorf("%w\nnothing is applied", err)
	}

	results := make([]applied, len(documents))
	var faults []error
	for i, d := range documents {
		results[i].ModelName = d.Model
		if refusals[i] != nil {
			results[i].Error = refusals[i].Error()
			faults = append(faults, fmt.Errorf("%s: %w", d.Where, refusals[i]))
		}
	}
	if faults == nil {
		return nil
	}

	if output == asJSON {
		if err := writeJSON(command.OutOrStdout(), map[string]any{"results": results}); err != nil {
			return err
		}
	}
	return errors.Join(append(faults, fmt.Errorf("nothing is applied; mend what is named above and apply again"))...)
}

// applyAll applies the documents, some at once, and says what became of each, in
// their order.
func (s *server) applyAll(ctx context.Context, documents []document.Document, output format, dryRun bool, out io.Writer) error {
	results := make([]applied, len(documents))
	done := make([]chan struct{}, len(documents))
	for i := range done {
		done[i] = make(chan struct{})
	}

	var group errgroup.Group
	group.SetLimit(maxApplying)
	var unanswered atomic.Bool // then no other monitor is waited for
	go func() {
		for i, d := range documents {
			group.Go(func() error {
				defer close(done[i])
				results[i] = applied{ModelName: d.Model, err: errNotTried}
				if !unanswered.Load() {
					results[i] = s.apply(ctx, d, dryRun)
				}
				if errors.Is(results[i].err, errNoAnswer) {
					unanswered.Store(true)
				}
				return nil
			})
		}
	}()

	var faults []error
	for i, d := range documents {
		<-done[i]
		r := &results[i]
		switch {
		case r.err != nil:
			r.Error = r.err.Error()
			faults = append(faults, fmt.Errorf("%s: %w", d.Where, r.err))
		case output == asJSON:
		case dryRun:
			printChanges(out, *r)
		default:
			_, _ = fmt.Fprintf(out, "%s: %s, %s\n", plain.Text(r.ModelName), plain.Words(r.Result), plain.Words(r.Phase))
			printNotes(out, r.Notes)
		}
	}

	if output == asJSON {
		if err := writeJSON(out, map[string]any{"results": results}); err != nil {
			return err
		}
	}
	if len(documents) > 1 && len(faults) > 0 {
		faults = append(faults, fmt.Errorf("%d of %d policies are applied; apply again when what is named above is mended",
			len(documents)-len(faults), len(documents)))
	}

	return errors.Join(faults...)
}

// apply puts a policy in force, on a new monitor where the model has none.
func (s *server) apply(ctx context.Context, d document.Document, dryRun bool) applied {
	result := applied{ModelName: d.Model, Notes: notesOf(d.Policy)}
	before, err := s.before(ctx, d.Model)
	if err == nil && before.running {
		result.Changes, err = difference.Of(before.policy, d.Policy)
	}
	if err != nil {
		result.err = err
		return result
	}
	if dryRun {
		result.Result = before.result(d.Policy)
		return result
	}

	options := hub.StartOptions(d.Model, string(s.settings.TaskQueue))
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // a stopped monitor starts anew
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING

	bounded, cancel := s.bounded(ctx)
	defer cancel()
	asked := client.UpdateWorkflowOptions{
		UpdateID: uuid.NewString(), WorkflowID: options.ID, UpdateName: contract.UpdateSetPolicy, Args: []any{d.Policy},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	var answer updateResult
	err = carryOut(bounded, &answer, func() (client.WorkflowUpdateHandle, error) {
		return s.UpdateWithStartWorkflow(bounded, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: s.NewWithStartWorkflowOperation(options, contract.WorkflowType,
				workflows.Input{ModelName: d.Model, Policy: &d.Policy}),
			UpdateOptions: asked,
		})
	})

	result.err = s.explain(ctx, d.Model, before.taskQueue, err)
	switch {
	case before.running:
	case errors.Is(result.err, errNoAnswer):
		result.err = fmt.Errorf("%w; the monitor is started all the same, and will watch by this policy once there is a worker", result.err)
	case isRefusal(err): // by another worker than the one that was asked, in the middle of a roll
		result.err = fmt.Errorf("%w; a worker of another configuration has taken it before, and the monitor runs by it all the same: "+
			"`modelvigil stop %s` ends it", result.err, plain.Text(d.Model))
	}
	if before.running && result.err != nil && strings.Contains(result.err.Error(), "is stopping") {
		result.err = fmt.Errorf("%w; apply again when its retraining in flight is recorded", result.err)
	}
	result.Phase = answer.Phase
	if err == nil {
		result.Result = before.result(d.Policy)
	}
	return result
}

// result is what applying a policy comes to.
func (e earlier) result(policy policy.Policy) string {
	switch {
	case !e.running:
		return applyStarted
	case e.hasPolicy(policy):
		return applyUnchanged
	}
	return applyChanged
}

// earlier is what a model's monitor was like before apply.
type earlier struct {
	running   bool
	taskQueue string
	policy    []byte // in force, as JSON
}

func (s *server) before(ctx context.Context, model string) (earlier, error) {
	found, err := s.find(ctx, model)
	if errors.Is(err, errNoMonitor) {
		return earlier{}, nil
	} else if err != nil {
		return earlier{}, err
	}

	e := earlier{running: found.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	if !e.running {
		return e, nil
	}

	e.taskQueue = found.GetTaskQueue()
	answer, err := s.status(ctx, model)
	if err != nil {
		return e, err
	}
	var status struct {
		Policy json.RawMessage `json:"policy"`
	}
	if err := json.Unmarshal(answer.wire, &status); err != nil {
		return e, fmt.Errorf("read the status of %q: %w", model, err)
	}

	e.policy = status.Policy
	return e, nil
}

func (e earlier) hasPolicy(policy policy.Policy) bool {
	encoded, err := json.Marshal(policy.WithDefaults())
	var compact bytes.Buffer
	return err == nil && json.Compact(&compact, e.policy) == nil && bytes.Equal(encoded, compact.Bytes())
}

// printChanges shows what apply would do to one model.
func printChanges(out io.Writer, r applied) {
	_, _ = fmt.Fprintf(out, "%s: would be %s\n", plain.Text(r.ModelName), plain.Words(r.Result))
	for _, c := range r.Changes {
		_, _ = fmt.Fprintf(out, "  %s\n", c)
	}
	printNotes(out, r.Notes)
}
