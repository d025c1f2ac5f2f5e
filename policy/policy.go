// Package policy is what is wanted of a model: its rules, the cooldown between two
// retrainings, blackouts and all else that a policy's file says. It reads and
// validates policies, says them in words, and computes what follows from a policy
// alone: when a rule's periods begin and are due, and how much of a monitor's state
// its rules may take.
package policy

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy/calendar"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Defaults of a policy: the thresholds of its three metrics, and its times.
const (
	DefaultMinAccuracy   = 0.90
	DefaultMaxLatencyMS  = 200.0
	DefaultMaxDriftScore = 0.10
	DefaultCooldown      = time.Hour
	DefaultTimeout       = 24 * time.Hour
)

// Defaults of what comes after a trigger.
const (
	DefaultApprovalTimeout = 24 * time.Hour
	DefaultVerifyWithin    = time.Hour
)

// Version is the version of a policy's wire form that this code writes. It
// reads no newer one.
const Version = 1

// Policy says when a model is retrained, and how. Policy{}, and {} in JSON, is
// the default policy: accuracy below 0.90, latency above 200 ms, drift above
// 0.10, a cooldown of one hour.
//
// A policy with one threshold changed is one expression:
//
//	Policy{}.With(Below(metric.Accuracy, 0.95))
type Policy struct {
	// Version is up to Version; none means 1, and 1 is left out.
	Version  int                       `json:"version,omitempty"`
	Team     string                    `json:"team,omitempty"`  // whose model it is
	Owner    string                    `json:"owner,omitempty"` // who applied it, so that nobody else prunes it
	Rules    []Rule                    `json:"rules,omitempty"` // in order of precedence; nil means the three defaults
	Cooldown metric.Optional[Duration] `json:"cooldown,omitzero"`
	// ReportEvery is how often one publisher alone reports a healthy model, 1 s to
	// 24 h: how old what the monitor knows may get, and what a crash of a serving
	// process may lose. Left out, ReportInterval says what follows from the rules.
	ReportEvery metric.Optional[Duration] `json:"report_every,omitzero"`
	// KeepDistributions are metrics, by names or patterns of path.Match, whose
	// distributions publishers send although no rule takes a percentile of them.
	KeepDistributions []string `json:"keep_distributions,omitempty"`
	// MaxFailures is how many retrainings in a row may fail, time out or regress
	// before the monitor pauses itself; 0 means any number.
	MaxFailures int `json:"max_failures,omitempty"`
	// Budget bounds how many retrainings there are in a time; nil means no bound but
	// the cooldown.
	Budget *Budget `json:"budget,omitempty"`
	// DryRun decides everything and asks for nothing: what would trigger is Held.
	DryRun     bool                `json:"dry_run,omitempty"`
	Superseded Superseded          `json:"superseded,omitempty"` // default SupersededSuppressed
	Approval   *Approval           `json:"approval,omitempty"`
	Verify     *Verify             `json:"verify,omitempty"`
	Blackout   []calendar.Blackout `json:"blackout,omitempty"`
	Notify     []Notify            `json:"notify,omitempty"` // who is told of which decisions
	Retraining Retraining          `json:"retraining,omitzero"`
	// Certificate is what was found of this policy on a recording; see Fingerprint.
	Certificate *certificate.Certificate `json:"certificate,omitempty"`
	// Profiles are those that drift rules name, by name.
	Profiles map[string]*drift.Profile `json:"profiles,omitempty"`
}

// Superseded says what becomes of a breach of a version that a retraining has
// replaced.
type Superseded string

// What becomes of breaches of superseded versions.
const (
	SupersededSuppressed Superseded = "suppress"
	SupersededTriggers   Superseded = "trigger"
)

// Approval asks an operator before a retraining goes out.
type Approval struct {
	Required  bool                      `json:"required,omitempty"`
	Timeout   metric.Optional[Duration] `json:"timeout,omitzero"`     // default DefaultApprovalTimeout
	OnTimeout OnTimeout                 `json:"on_timeout,omitempty"` // default RejectOnTimeout
}

// OnTimeout says what no answer means.
type OnTimeout string

// What no answer means.
const (
	RejectOnTimeout  OnTimeout = "reject"
	ApproveOnTimeout OnTimeout = "approve"
)

// Verify holds the version that a retraining made against the rules: Within
// begins with its first event.
type Verify struct {
	Within     metric.Optional[Duration] `json:"within,omitzero"`       // default DefaultVerifyWithin
	MinSamples int64                     `json:"min_samples,omitempty"` // events below which nothing is said; default 1
}

// Retraining says what a trigger asks for.
type Retraining struct {
	Backend string                     `json:"backend,omitempty"` // empty means the worker's MODELOPS_BACKEND
	Params  map[string]json.RawMessage `json:"params,omitempty"`  // handed to the backend as they are
	// Timeout is how long a retraining may take, from trigger to outcome.
	Timeout         metric.Optional[Duration] `json:"timeout,omitzero"`
	CancelOnTimeout bool                      `json:"cancel_on_timeout,omitempty"` // tell the backend to end what has timed out
	// Priority orders requests that wait for a worker: 1, the first, to 5, as
	// Temporal has it; 0 means its default, 3.
	Priority int `json:"priority,omitempty"`
}

// With returns the policy with a rule put in place of the one of the same name,
// or added at the end.
func (p Policy) With(rule Rule) Policy {
	p = p.WithDefaults()
	rule = rule.named()
	for i := range p.Rules {
		if p.Rules[i].Name == rule.Name {
			p.Rules[i] = rule
			return p
		}
	}
	p.Rules = append(p.Rules, rule)
	return p
}

// WithCooldown returns the policy with another cooldown; 0 means none.
func (p Policy) WithCooldown(cooldown time.Duration) Policy {
	p.Cooldown = metric.Some(Duration(cooldown))
	return p
}

// WithDefaults returns a copy in which everything left out is spelled out, but
// for the backend, which is the worker's to choose, and for ReportEvery, which
// follows from the rules.
func (p Policy) WithDefaults() Policy {
	if p.Rules == nil {
		p.Rules = []Rule{
			Below(metric.Accuracy, DefaultMinAccuracy),
			Above(metric.LatencyMS, DefaultMaxLatencyMS),
			Above(metric.DriftScore, DefaultMaxDriftScore),
		}
	} else {
		p.Rules = slices.Clone(p.Rules)
		for i := range p.Rules {
			p.Rules[i] = p.Rules[i].named()
		}
	}

	p.Version = 0 // older ones are lifted here
	p.Cooldown = metric.Some(p.Cooldown.Or(Duration(DefaultCooldown)))
	p.Retraining.Timeout = metric.Some(p.Retraining.Timeout.Or(Duration(DefaultTimeout)))
	return p
}

func (r Rule) named() Rule {
	if r.Name == "" {
		r.Name = cmp.Or(Word(r.Metric), r.Category)
	}
	return r
}

// Equal compares policies as JSON, in which a round trip changes nothing.
func (p Policy) Equal(other Policy) bool {
	return strict.Equal(p, other)
}

// Fingerprint tells policies apart by what decides when they trigger: rules, cooldown,
// budget, blackouts and what becomes of superseded versions.
func (p Policy) Fingerprint() string {
	p = p.WithDefaults()
	encoded, _ := json.Marshal(Policy{ // a policy that is valid can be encoded
		Rules: p.Rules, Cooldown: p.Cooldown, Budget: p.Budget, Blackout: p.Blackout, Superseded: p.Superseded, Profiles: p.Profiles,
	})
	return certificate.Fingerprint(encoded)
}

// UnmarshalJSON reads a policy; unknown fields are refused by name. Whether the
// values make sense, Validate says.
func (p *Policy) UnmarshalJSON(data []byte) error {
	*p = Policy{}
	return p.decodeAt(data, "")
}

func (p *Policy) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"version": &p.Version,
		"team":    &p.Team, "owner": &p.Owner, "rules": strict.List(&p.Rules, (*Rule).decodeAt), "cooldown": &p.Cooldown, "max_failures": &p.MaxFailures,
		"report_every": &p.ReportEvery, "keep_distributions": &p.KeepDistributions,
		"dry_run": &p.DryRun, "superseded": &p.Superseded, "approval": strict.Object(&p.Approval, (*Approval).decodeAt),
		"budget": strict.Object(&p.Budget, (*Budget).decodeAt),
		"verify": strict.Object(&p.Verify, (*Verify).decodeAt), "blackout": strict.List(&p.Blackout, (*calendar.Blackout).DecodeAt),
		"certificate": strict.Object(&p.Certificate, (*certificate.Certificate).DecodeAt),
		"profiles":    strict.Nested(p.decodeProfiles),
		"notify":      strict.List(&p.Notify, (*Notify).decodeAt),
		"retraining":  strict.Nested(p.Retraining.decodeAt),
	})
}

func (a *Approval) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"required": &a.Required, "timeout": &a.Timeout, "on_timeout": &a.OnTimeout})
}

func (v *Verify) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"within": &v.Within, "min_samples": &v.MinSamples})
}

func (r *Retraining) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"backend": &r.Backend, "params": &r.Params, "timeout": &r.Timeout,
		"cancel_on_timeout": &r.CancelOnTimeout, "priority": &r.Priority,
	})
}

// Decode reads a policy and validates it: the error names every fault.
func Decode(data []byte) (Policy, error) {
	var policy Policy
	err := policy.UnmarshalJSON(data)
	err = errors.Join(err, policy.Validate())
	if err != nil {
		return Policy{}, err
	}
	return policy, nil
}

// AsksApproval says that an operator is asked before a retraining goes out.
func (p *Policy) AsksApproval() bool { return p.Approval != nil && p.Approval.Required }

// ApprovesByItself says that a trigger which waits goes out without anybody's word.
func (p *Policy) ApprovesByItself() bool {
	return !p.AsksApproval() || p.Approval.OnTimeout == ApproveOnTimeout
}
