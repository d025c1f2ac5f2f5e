package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy"
)

// Verification is under way for a version that a retraining has made.
type Verification struct {
	RequestID string    `json:"request_id"`
	Version   string    `json:"model_version"`
	Since     time.Time `json:"since"`            // of the success
	Until     time.Time `json:"until,omitzero"`   // from the version's first event on
	Samples   int64     `json:"samples"`          // its events since
	Broken    string    `json:"broken,omitempty"` // the rule that it broke first
	Reason    string    `json:"reason,omitempty"` // how
}

// verify begins to hold the version that a retraining has made against the rules.
func (m *Machine) verify(now time.Time, requestID, version string) {
	m.endVerification(now, policy.Unverified, "another retraining has succeeded")
	if m.state.Policy.Verify == nil {
		m.endRow()
		return
	}
	m.state.Verification = &Verification{RequestID: requestID, Version: version, Since: now}
	m.dirty = true
	if version == "" {
		m.endVerification(now, policy.Unverified, "the outcome names no model version")
	}
}

// carryVerification hands a verification that is under way on to another policy: its
// length is the new one's, and a rule that is another now has broken nothing yet.
func (m *Machine) carryVerification(wanted policy.Policy) {
	v, old := m.state.Verification, &m.state.Policy
	if v == nil || wanted.Verify == nil || old.Verify == nil {
		return // where none is asked for any more it ends when time is let pass
	}

	if !v.Until.IsZero() {
		v.Until = v.Until.Add(wanted.Verify.Length() - old.Verify.Length())
	}
	named := func(rules []policy.Rule) (r policy.Rule) {
		if i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.Name == v.Broken }); i >= 0 {
			r = rules[i]
		}
		return r
	}

	if !strict.Equal(named(old.Rules), named(wanted.Rules)) {
		v.Broken = ""
		v.Reason = ""
	}
}

// beginVerification starts the clock at the version's first event.
func (m *Machine) beginVerification(now time.Time, o *observation) {
	v := m.state.Verification
	if v == nil || o.version != v.Version || !v.Until.IsZero() || m.state.Policy.Verify == nil {
		return
	}
	v.Until = now.Add(m.state.Policy.Verify.Length())
	m.dirty = true
}

// noteSample counts the version's events, once they are judged.
func (m *Machine) noteSample(now time.Time, o *observation) {
	if v := m.state.Verification; v != nil && o.version == v.Version {
		v.Samples += o.events
		m.concludeRegression(now)
	}
}

// noteRegression remembers that the version under verification broke a rule.
func (m *Machine) noteRegression(rule int, version string, seen *version) {
	v := m.state.Verification
	if v == nil || v.Version != version || v.Broken != "" || m.state.Policy.Verify == nil {
		return
	}
	if m.verifies[rule] {
		r := &m.state.Policy.Rules[rule]
		v.Broken = r.Name
		v.Reason = m.reason(rule, seen)
		m.dirty = true
	}
}

// concludeRegression ends the verification once a broken rule has samples enough.
func (m *Machine) concludeRegression(now time.Time) {
	if v := m.state.Verification; v.Broken != "" && m.state.Policy.Verify != nil && v.Samples >= max(1, m.state.Policy.Verify.MinSamples) {
		m.endVerification(now, policy.Regressed, v.Reason)
	}
}

// tickVerification ends the verification when its time is over.
func (m *Machine) tickVerification(now time.Time) {
	v := m.state.Verification
	switch {
	case v == nil:
		return
	case m.state.Policy.Verify == nil:
		m.endVerification(now, policy.Unverified, "the policy asks for none any more")
		return
	}

	m.concludeRegression(now)
	if m.state.Verification == nil || v.Until.IsZero() || now.Before(v.Until) {
		return
	}
	within := policy.Duration(m.state.Policy.Verify.Length())
	if least := m.state.Policy.Verify.MinSamples; v.Samples < least {
		m.endVerification(now, policy.Unverified, fmt.Sprintf("%d events within %s, of at least %d", v.Samples, within, least))
		return
	}

	m.endVerification(now, policy.Verified, fmt.Sprintf("%d events within %s held the rules", v.Samples, within))
}

func (m *Machine) endVerification(now time.Time, kind policy.Kind, reason string) {
	v := m.state.Verification
	if v == nil {
		return
	}

	m.state.Verification = nil
	m.dirty = true
	m.decide(Decision{At: now, Kind: kind, Rule: v.Broken, Reason: reason, ModelVersion: v.Version, RequestID: v.RequestID})
	switch kind {
	case policy.Verified:
		m.endRow()
	case policy.Regressed:
		m.countFailure(now)
	}
}

// endRow forgets the failures so far: one more would be the first.
func (m *Machine) endRow() {
	m.state.Failures = 0
	for i := range m.state.Recent {
		m.state.Recent[i].Failures = 0
	}
}

// countFailure counts failures in a row, and opens the circuit at the policy's bound.
func (m *Machine) countFailure(now time.Time) {
	m.state.Failures++
	if limit := m.state.Policy.MaxFailures; limit == 0 || m.state.Failures < limit || m.state.Pause != nil {
		return
	}
	reason := fmt.Sprintf("%d retrainings in a row failed; resume when the cause is mended", m.state.Failures)
	m.state.Pause = &Control{By: ByCircuit, Reason: reason, At: now}
	m.decide(Decision{At: now, Kind: policy.CircuitOpened, Reason: reason, By: ByCircuit})
}

// ByCircuit is who paused a monitor whose retrainings failed too often.
const ByCircuit = "circuit"
