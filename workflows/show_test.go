package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/index"
)

// A search attribute that has no value is left out, as long as it never had one: it takes
// memory and history for each monitor. Nothing that was set may stay when it is over.
func TestSearchAttributesAreSaidWhereTheyHaveOrHadAValue(t *testing.T) {
	l := newLife(t, "fraud")
	var atLast temporal.SearchAttributes
	l.RegisterWorkflowWithOptions(func(ctx workflow.Context, input converter.RawValue) error {
		err := workflows.Worker{HasIndex: func() bool { return true }}.MonitorWorkflow(ctx, input)
		atLast = workflow.GetTypedSearchAttributes(ctx)
		return err
	}, workflow.RegisterOptions{Name: "Indexed"})
	var said []temporal.SearchAttributes
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		said = append(said, args.Get(0).(temporal.SearchAttributes))
	}).Return(nil)
	l.accepts(1)
	l.publish(time.Minute, 0.95)
	l.update(2*time.Minute, "1", contract.UpdateSetPolicy, map[string]any{"team": "risk"})
	l.publish(3*time.Minute, 0.5)
	l.update(4*time.Minute, "2", contract.UpdateSetPolicy, map[string]any{})
	l.update(5*time.Minute, "3", contract.UpdateStop, nil)

	l.ExecuteWorkflow("Indexed")

	names := func(of temporal.SearchAttributes) (all []string) {
		for key := range of.GetUntypedValues() {
			all = append(all, key.GetName())
		}
		return all
	}
	assert.ElementsMatch(t, []string{index.ModelName.GetName(), index.MonitorPhase.GetName()}, names(said[0]), "nothing is known of it yet")
	assert.True(t, slices.ContainsFunc(said, func(of temporal.SearchAttributes) bool { return of.ContainsKey(index.Team) }))
	assert.False(t, atLast.ContainsKey(index.Team), "the second policy names none")
	assert.True(t, atLast.ContainsKey(index.LastDecision))
}
