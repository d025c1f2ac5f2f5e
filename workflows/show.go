package workflows

import (
	"reflect"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows/index"
)

// MemoGlance is the memo field with a monitor's monitor.Glance: whoever lists
// monitors needs no worker.
const MemoGlance = "glance"

// versionPause is how long a change of the model's version alone may wait to be
// shown. Where two versions serve side by side, the last one heard of is now the
// one and now the other.
const versionPause = 10 * time.Minute

// shown is what lists of monitors show of this one.
type shown struct {
	glance  monitor.Glance
	at      time.Time
	indexed bool // the search attributes say so, too
}

// shownBefore is what an earlier run has left.
func shownBefore(ctx workflow.Context) (s shown) {
	if field := workflow.GetInfo(ctx).Memo.GetFields()[MemoGlance]; field != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(field, &s.glance) // else, if it is encrypted or not ours, it is shown anew
	}
	s.indexed = workflow.GetTypedSearchAttributes(ctx).ContainsKey(index.ModelName)
	return s
}

// show keeps the memo and the search attributes up to date.
func (m *monitorRun) show(ctx workflow.Context, now time.Time) error {
	glance := m.machine.Glance(now)
	before := m.shown.glance
	if before.ModelVersion != "" && now.Sub(m.shown.at) < versionPause {
		before.ModelVersion = glance.ModelVersion
	}
	if m.shown.indexed && reflect.DeepEqual(before, glance) {
		return nil
	}

	if !reflect.DeepEqual(before, glance) {
		if err := workflow.UpsertMemo(ctx, map[string]any{MemoGlance: glance}); err != nil {
			return err
		}
	} else if !m.shown.at.IsZero() {
		return nil // once a run is enough to see whether there is an index by now
	}

	m.shown = shown{glance: glance, at: now, indexed: m.hasIndex(ctx)}
	if !m.shown.indexed {
		return nil
	}

	return workflow.UpsertTypedSearchAttributes(ctx, attributes(m.machine.ModelName(), glance, workflow.GetTypedSearchAttributes(ctx))...)
}

// attributes are the search attributes of a monitor that has others so far. What has no
// value is said of those alone that had one: each that is set takes memory of a worker, and
// bytes of history.
func attributes(model string, g monitor.Glance, before temporal.SearchAttributes) []temporal.SearchAttributeUpdate {
	updates := []temporal.SearchAttributeUpdate{index.ModelName.ValueSet(model), index.MonitorPhase.ValueSet(string(g.Phase))}
	keyword := func(key temporal.SearchAttributeKeyKeyword, value string) {
		switch {
		case value != "":
			updates = append(updates, key.ValueSet(value))
		case before.ContainsKey(key):
			updates = append(updates, key.ValueUnset())
		}
	}

	keyword(index.ModelVersion, g.ModelVersion)
	keyword(index.Backend, g.Backend)
	keyword(index.Team, g.Team)
	switch {
	case g.Last != nil:
		keyword(index.LastDecision, string(g.Last.Kind))
		updates = append(updates, index.LastDecisionAt.ValueSet(g.Last.At))
	case before.ContainsKey(index.LastDecisionAt):
		updates = append(updates, index.LastDecision.ValueUnset(), index.LastDecisionAt.ValueUnset())
	}
	return updates
}

// hasIndex is recorded, so that a replay by another worker finds the same.
func (m *monitorRun) hasIndex(ctx workflow.Context) (has bool) {
	encoded := workflow.MutableSideEffect(ctx, "has-search-attributes",
		func(workflow.Context) any { return m.worker.HasIndex != nil && m.worker.HasIndex() }, func(a, b any) bool { return a == b })
	return encoded.Get(&has) == nil && has
}
