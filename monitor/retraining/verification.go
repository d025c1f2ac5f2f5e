package retraining

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/watch"
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

// Ends is when a verification is over; ok is false where none is under way, or its
// version has not been heard of.
func (v *Verification) Ends() (at time.Time, ok bool) {
	if v == nil || v.Until.IsZero() {
		return at, false
	}
	return v.Until, true
}

// verify begins to hold the version that a retraining has made against the rules.
func (c *Course) verify(now time.Time, requestID, version string) {
	c.endVerification(now, policy.Unverified, "another retraining has succeeded")
	if c.policy.Verify == nil {
		c.endRow()
		return
	}
	c.all.Verification = &Verification{RequestID: requestID, Version: version, Since: now}
	if version == "" {
		c.endVerification(now, policy.Unverified, "the outcome names no model version")
	}
}

// carryVerification hands a verification that is under way on to another policy: its
// length is the new one's, and a rule that is another now has broken nothing yet.
func (c *Course) carryVerification(wanted *policy.Policy) {
	v, old := c.all.Verification, c.policy
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

// BeginVerification starts the clock at the version's first event.
func (c *Course) BeginVerification(now time.Time, version string) {
	v := c.all.Verification
	if v == nil || version != v.Version || !v.Until.IsZero() || c.policy.Verify == nil {
		return
	}
	v.Until = now.Add(c.policy.Verify.Length())
}

// NoteSamples counts a version's events, once they are judged.
func (c *Course) NoteSamples(now time.Time, version string, events int64) {
	if v := c.all.Verification; v != nil && version == v.Version {
		v.Samples += events
		c.concludeRegression(now)
	}
}

// NoteRegression remembers that the version under verification broke a rule.
func (c *Course) NoteRegression(rule int, moment *watch.Moment) {
	v := c.all.Verification
	if v == nil || v.Version != moment.Version || v.Broken != "" || c.policy.Verify == nil {
		return
	}
	if c.verifies[rule] {
		v.Broken = c.policy.Rules[rule].Name
		v.Reason = moment.Tell(rule).Reason
	}
}

// concludeRegression ends the verification once a broken rule has samples enough.
func (c *Course) concludeRegression(now time.Time) {
	if v := c.all.Verification; v.Broken != "" && c.policy.Verify != nil && v.Samples >= max(1, c.policy.Verify.MinSamples) {
		c.endVerification(now, policy.Regressed, v.Reason)
	}
}

// ConcludeVerification ends the verification when its time is over.
func (c *Course) ConcludeVerification(now time.Time) {
	v := c.all.Verification
	switch {
	case v == nil:
		return
	case c.policy.Verify == nil:
		c.endVerification(now, policy.Unverified, "the policy asks for none any more")
		return
	}

	c.concludeRegression(now)
	if c.all.Verification == nil || v.Until.IsZero() || now.Before(v.Until) {
		return
	}
	within := policy.Duration(c.policy.Verify.Length())
	if least := c.policy.Verify.MinSamples; v.Samples < least {
		c.endVerification(now, policy.Unverified, fmt.Sprintf("%d events within %s, of at least %d", v.Samples, within, least))
		return
	}

	c.endVerification(now, policy.Verified, fmt.Sprintf("%d events within %s held the rules", v.Samples, within))
}

func (c *Course) endVerification(now time.Time, kind policy.Kind, reason string) {
	v := c.all.Verification
	if v == nil {
		return
	}

	c.all.Verification = nil
	c.journal.Decide(journal.Decision{At: now, Kind: kind, Rule: v.Broken, Reason: reason, ModelVersion: v.Version, RequestID: v.RequestID})
	switch kind {
	case policy.Verified:
		c.endRow()
	case policy.Regressed:
		c.countFailure(now)
	}
}

// endRow forgets the failures so far: one more would be the first.
func (c *Course) endRow() {
	c.all.Failures = 0
	for i := range c.all.Recent {
		c.all.Recent[i].Failures = 0
	}
}

// countFailure counts failures in a row, and opens the circuit at the policy's bound.
func (c *Course) countFailure(now time.Time) {
	c.all.Failures++
	if limit := c.policy.MaxFailures; limit == 0 || c.all.Failures < limit || c.all.Pause != nil {
		return
	}
	reason := fmt.Sprintf("%d retrainings in a row failed; resume when the cause is mended", c.all.Failures)
	c.all.Pause = &Control{By: ByCircuit, Reason: reason, At: now}
	c.journal.Decide(journal.Decision{At: now, Kind: policy.CircuitOpened, Reason: reason, By: ByCircuit})
}

// ByCircuit is who paused a monitor whose retrainings failed too often.
const ByCircuit = "circuit"
