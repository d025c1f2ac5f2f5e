package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Defaults of a policy, those of the original's RetrainTrigger.
const (
	DefaultMinAccuracy   = 0.90
	DefaultMaxLatencyMS  = 200.0
	DefaultMaxDriftScore = 0.10
	DefaultCooldown      = time.Hour
	DefaultTimeout       = 24 * time.Hour
)

const (
	maxRules       = 50
	maxParamsBytes = 16 << 10
	maxWait        = 365 * 24 * time.Hour // bounds cooldown and timeout
	minTimeout     = time.Second
)

// Policy says when a model is retrained, and how. Policy{}, and {} in JSON, is
// the default policy: accuracy below 0.90, latency above 200 ms, drift above
// 0.10, a cooldown of one hour.
//
// A policy with one threshold changed is one expression:
//
//	monitor.Policy{}.With(monitor.Below(monitor.Accuracy, 0.95))
type Policy struct {
	Rules      []Rule             `json:"rules,omitempty"` // in order of precedence; nil means the three defaults
	Cooldown   Optional[Duration] `json:"cooldown,omitzero"`
	Retraining RetrainingPolicy   `json:"retraining,omitzero"`
}

// RetrainingPolicy says what a trigger asks for.
type RetrainingPolicy struct {
	Backend string                     `json:"backend,omitempty"` // empty means the worker's MODELOPS_BACKEND
	Params  map[string]json.RawMessage `json:"params,omitempty"`  // handed to the backend as they are
	// Timeout is how long a retraining may take, from trigger to outcome.
	Timeout Optional[Duration] `json:"timeout,omitzero"`
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
	p.Cooldown = Some(Duration(cooldown))
	return p
}

// WithDefaults returns a copy in which everything left out is spelled out, but
// for the backend, which is the worker's to choose.
func (p Policy) WithDefaults() Policy {
	if p.Rules == nil {
		p.Rules = []Rule{
			Below(Accuracy, DefaultMinAccuracy),
			Above(LatencyMS, DefaultMaxLatencyMS),
			Above(DriftScore, DefaultMaxDriftScore),
		}
	} else {
		p.Rules = slices.Clone(p.Rules)
		for i := range p.Rules {
			p.Rules[i] = p.Rules[i].named()
		}
	}
	p.Cooldown = Some(p.Cooldown.Or(Duration(DefaultCooldown)))
	p.Retraining.Timeout = Some(p.Retraining.Timeout.Or(Duration(DefaultTimeout)))
	return p
}

func (r Rule) named() Rule {
	if r.Name == "" {
		r.Name = word(r.Metric)
	}
	return r
}

// equal compares policies as JSON, in which a round trip changes nothing.
func (p Policy) equal(other Policy) bool {
	mine, err1 := json.Marshal(p)
	others, err2 := json.Marshal(other)
	return err1 == nil && err2 == nil && bytes.Equal(mine, others)
}

// Judge returns the first rule in order of precedence that an observation
// violates, and whether there is one.
func (p Policy) Judge(observation *Digest) (Breach, bool) {
	for _, rule := range p.Rules {
		if breach, breaches := rule.Judge(observation); breaches {
			return breach, true
		}
	}
	return Breach{}, false
}

// Validate names every fault with its field path.
func (p Policy) Validate() error {
	var faults []error
	if p.Rules != nil && len(p.Rules) == 0 {
		faults = append(faults, errors.New("rules: must not be empty; leave the field out for the default rules"))
	}
	if len(p.Rules) > maxRules {
		faults = append(faults, fmt.Errorf("rules: must be at most %d, got %d", maxRules, len(p.Rules)))
	}
	first := map[string]int{}
	for i, rule := range p.WithDefaults().Rules {
		path := fmt.Sprintf("rules[%d]", i)
		faults = append(faults, rule.validate(path))
		if before, taken := first[rule.Name]; taken && rule.Name != "" {
			faults = append(faults, fmt.Errorf("%s.name: must be unique, %q is rules[%d]'s too", path, rule.Name, before))
		} else {
			first[rule.Name] = i
		}
	}
	if cooldown, ok := p.Cooldown.Get(); ok {
		faults = append(faults, at("cooldown", checkWait(cooldown, 0)))
	}
	if timeout, ok := p.Retraining.Timeout.Get(); ok {
		faults = append(faults, at("retraining.timeout", checkWait(timeout, minTimeout)))
	}
	if p.Retraining.Backend != "" {
		faults = append(faults, at("retraining.backend", checkName(p.Retraining.Backend, 1, MaxMetricNameBytes)))
	}
	if params, err := json.Marshal(p.Retraining.Params); err != nil {
		faults = append(faults, at("retraining.params", err))
	} else if len(params) > maxParamsBytes {
		faults = append(faults, fmt.Errorf("retraining.params: must be at most %d bytes as JSON, got %d", maxParamsBytes, len(params)))
	}
	return errors.Join(faults...)
}

func checkWait(d Duration, min time.Duration) error {
	if time.Duration(d) < min || time.Duration(d) > maxWait {
		return fmt.Errorf("must be %s to %s, got %s", Duration(min), Duration(maxWait), d)
	}
	return nil
}

// UnmarshalJSON reads a policy; unknown fields are refused by name. Whether the
// values make sense, Validate says.
func (p *Policy) UnmarshalJSON(data []byte) error {
	*p = Policy{}
	return p.decodeAt(data, "")
}

func (p *Policy) decodeAt(data []byte, path string) error {
	return decodeFields(data, path, fields{
		"rules": list[Rule, *Rule]{&p.Rules}, "cooldown": &p.Cooldown, "retraining": &p.Retraining,
	})
}

func (r *RetrainingPolicy) decodeAt(data []byte, path string) error {
	return decodeFields(data, path, fields{
		"backend": &r.Backend, "params": &r.Params, "timeout": &r.Timeout,
	})
}

// DecodePolicy reads a policy and validates it: the error names every fault.
func DecodePolicy(data []byte) (Policy, error) {
	var policy Policy
	err := policy.UnmarshalJSON(data)
	if err = errors.Join(err, policy.Validate()); err != nil {
		return Policy{}, err
	}
	return policy, nil
}
