package monitor

import (
	"cmp"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// Glance is what a list of monitors shows of one without asking it. It changes
// with a phase or a decision, not with every observation.
type Glance struct {
	Phase contract.Phase `json:"phase,omitempty"`
	// Waits is why a retraining has not begun: Queued, or HeldFreeze.
	Waits         string    `json:"waits,omitempty"`
	CooldownUntil time.Time `json:"cooldown_until,omitzero"` // of the last trigger; may have passed
	ModelVersion  string    `json:"model_version,omitempty"` // heard of last
	Backend       string    `json:"backend,omitempty"`       // the policy's, or the one that took the last retraining
	Team          string    `json:"team,omitempty"`
	Owner         string    `json:"owner,omitempty"` // who applied the policy
	// Last is the last decision that is neither Suppressed nor Warned.
	Last *GlanceDecision `json:"last,omitempty"`
	// Failure is the last retraining that failed or timed out, while none has gone well since.
	Failure *GlanceDecision `json:"failure,omitempty"`
}

// GlanceDecision is the part of a decision that a list has room for.
type GlanceDecision struct {
	At        time.Time   `json:"at"`
	Kind      policy.Kind `json:"kind"`
	Reason    string      `json:"reason,omitempty"`
	RequestID string      `json:"request_id,omitempty"`
}

// What Waits says of a retraining that no backend has taken yet, and of one that a
// freeze of the fleet holds.
const (
	Queued     = "queued"
	HeldFreeze = "held"
)

// Glance returns what a list shows at now.
func (m *Machine) Glance(now time.Time) Glance {
	s := &m.state
	g := Glance{
		Phase: m.Course.Phase(now), CooldownUntil: m.Course.CooldownUntil(), ModelVersion: s.Latest,
		Backend: cmp.Or(s.Policy.Retraining.Backend, s.Backend), Team: s.Policy.Team, Owner: s.Policy.Owner,
	}
	switch flight := s.Flight; {
	case g.Phase != contract.PhaseRetraining:
	case !flight.FrozenUntil.IsZero():
		g.Waits = HeldFreeze
	case flight.Job == nil:
		g.Waits = Queued
	}

	g.Last = atAGlance(s.Notable)
	g.Failure = atAGlance(s.Failure)
	return g
}

func atAGlance(d *Decision) *GlanceDecision {
	if d == nil {
		return nil
	}
	return &GlanceDecision{At: d.At, Kind: d.Kind, Reason: d.Reason, RequestID: d.RequestID}
}

// Guidance returns what publishers should know at now. A budget that is used up is to
// them as a cooldown: no breach is urgent until it has room.
func (m *Machine) Guidance(now time.Time) contract.Guidance {
	phase := m.Course.Phase(now)
	until := clock.Later(m.Course.CooldownUntil(), m.Course.BudgetUntil())
	if phase == contract.PhaseWatching && now.Before(until) {
		phase = contract.PhaseCoolingDown
	}

	guidance := contract.Guidance{
		Phase: phase, CooldownUntil: until, Rules: m.state.Policy.Rules,
		Publishers: m.state.Active(now, m.state.Policy.ReportInterval()), BatchVersions: metric.BatchVersions(),
		ReportEvery: policy.Duration(m.state.Policy.ReportInterval()), KeepDistributions: m.state.Policy.KeepDistributions, Bins: m.watch.Bins(),
	}
	if known := m.state.Calendar; known != nil {
		guidance.Zones = known.Zones
	}
	return guidance
}
