package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// edge refuses a policy that names a backend or a channel this process doesn't have,
// when it is put in force, or asked about, rather than when a model is to be retrained.
// An update that is
// refused leaves no trace in history, so what this process knows decides nothing
// that a replay could find otherwise.
type edge struct {
	interceptor.WorkerInterceptorBase
	backends map[string]modelops.ModelOps
	channels activities.Channels
}

// InterceptWorkflow puts the check in front of a monitor.
func (e *edge) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &monitorEdge{edge: e}
	i.Next = next
	return i
}

type monitorEdge struct {
	interceptor.WorkflowInboundInterceptorBase
	edge *edge
}

// ValidateUpdate checks the policy of a set-policy that the monitor itself takes, and
// one that the fleet is asked about.
func (i *monitorEdge) ValidateUpdate(ctx workflow.Context, in *interceptor.UpdateInput) error {
	said := i.Next.ValidateUpdate(ctx, in)
	takes := said == nil && in.Name == contract.UpdateSetPolicy || workflows.WouldTake(said)
	if !takes || len(in.Args) == 0 {
		return said
	}
	raw, ok := in.Args[0].(converter.RawValue)
	if !ok {
		return said
	}
	var policy named
	if json.Unmarshal(raw.Payload().GetData(), &policy) != nil { // the monitor has taken it all the same
		return said
	}
	if err := i.edge.check(&policy); err != nil {
		return err
	}

	return said
}

// named is what a policy names of a process.
type named struct {
	Team       string `json:"team"`
	Retraining struct {
		Backend string `json:"backend"`
	} `json:"retraining"`
	Notify []policy.Notify `json:"notify"`
}

func (e *edge) check(policy *named) error {
	var faults []string
	if backend := policy.Retraining.Backend; backend != "" && e.backends[backend] == nil {
		faults = append(faults, fmt.Sprintf("retraining.backend: the worker has no %q, only %s; correct the name, or configure the worker: %s",
			backend, strings.Join(slices.Sorted(maps.Keys(e.backends)), ", "), backends.SettingOf(backend)))
	}

	for i, to := range policy.Notify {
		if _, err := e.channels.For(policy.Team, to.Channel); err != nil {
			faults = append(faults, fmt.Sprintf("notify[%d].channel: %v", i, err))
		}
	}

	if faults == nil {
		return nil
	}

	return temporal.NewNonRetryableApplicationError(contract.UpdateSetPolicy+" refused: "+strings.Join(faults, "\n"), "Refused", nil)
}
