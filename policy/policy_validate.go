package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Bounds of a policy.
const (
	MaxRules       = 100
	maxParamsBytes = 16 << 10
	maxWait        = 365 * 24 * time.Hour // bounds cooldown and timeout
	minTimeout     = time.Second
	maxFailures    = 1000
	maxPriority    = 5
)

// Validate names every fault with its field path.
func (p Policy) Validate() error {
	var faults []error
	if p.Version < 0 || p.Version > Version {
		faults = append(faults, fmt.Errorf("version: policies up to version %d are read here, got %d; run a newer worker and modelvigil", Version, p.Version))
	}
	if p.Rules != nil && len(p.Rules) == 0 {
		faults = append(faults, errors.New("rules: must not be empty; leave the field out for the default rules"))
	}
	if len(p.Rules) > MaxRules { // nobody reads the faults of a thousand
		return errors.Join(append(faults, fmt.Errorf("rules: must be at most %d, got %d", MaxRules, len(p.Rules)))...)
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

	faults = append(faults, p.validateProfiles()...)
	faults = append(faults, validateComposites(p.WithDefaults().Rules)...)
	faults = append(faults, p.validateFootprint())
	faults = append(faults, strict.At("team", metric.CheckName(p.Team, 0, metric.MaxNameBytes)))
	faults = append(faults, strict.At("owner", metric.CheckName(p.Owner, 0, metric.MaxNameBytes)))
	if cooldown, ok := p.Cooldown.Get(); ok {
		faults = append(faults, strict.At("cooldown", checkWait(cooldown, 0)))
	}
	if timeout, ok := p.Retraining.Timeout.Get(); ok {
		faults = append(faults, strict.At("retraining.timeout", checkWait(timeout, minTimeout)))
	}
	if p.Retraining.Backend != "" {
		faults = append(faults, strict.At("retraining.backend", metric.CheckName(p.Retraining.Backend, 1, metric.MaxNameBytes)))
	}
	if params, err := json.Marshal(p.Retraining.Params); err != nil {
		faults = append(faults, strict.At("retraining.params", err))
	} else if len(params) > maxParamsBytes {
		faults = append(faults, fmt.Errorf("retraining.params: must be at most %d bytes as JSON, got %d", maxParamsBytes, len(params)))
	}
	if priority := p.Retraining.Priority; priority < 0 || priority > maxPriority {
		faults = append(faults, fmt.Errorf("retraining.priority: must be 1, the first, to %d, got %d", maxPriority, priority))
	}
	faults = append(faults, p.validateReports()...)
	faults = append(faults, p.validateControl()...)
	if err := errors.Join(faults...); err != nil || p.Verify == nil {
		return err
	}

	p = p.WithDefaults()
	for i, isJudged := range p.Verifiable(p.Verify.Length()) {
		if p.Rules[i].CanTrigger() && isJudged {
			return nil
		}
	}

	return errors.New("verify.within: none of the rules can be judged of a new version in that time")
}

// validateControl is about what stands between a trigger and its outcome.
func (p Policy) validateControl() (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At(field, err)) }
	if p.MaxFailures < 0 || p.MaxFailures > maxFailures {
		fault("max_failures", fmt.Errorf("must be 0 to %d, got %d", maxFailures, p.MaxFailures))
	}
	if p.Certificate != nil {
		faults = append(faults, p.Certificate.Validate(p.Fingerprint())...)
	}
	if p.Budget != nil {
		faults = append(faults, p.Budget.validate()...)
	}
	fault("superseded", oneOf(p.Superseded, SupersededSuppressed, SupersededTriggers))
	if a := p.Approval; a != nil {
		if timeout, ok := a.Timeout.Get(); ok {
			fault("approval.timeout", checkWait(timeout, minTimeout))
		}
		fault("approval.on_timeout", oneOf(a.OnTimeout, RejectOnTimeout, ApproveOnTimeout))
	}
	if v := p.Verify; v != nil {
		if within, ok := v.Within.Get(); ok {
			fault("verify.within", checkWait(within, time.Second))
		}
		if v.MinSamples < 0 || v.MinSamples > metric.MaxCount {
			fault("verify.min_samples", fmt.Errorf("must be 1 to %d, got %d", int64(metric.MaxCount), v.MinSamples))
		}
	}

	faults = append(faults, calendar.CheckBlackouts(p.Blackout)...)
	return append(faults, validateNotify(p.Notify, p.WithDefaults().Rules)...)
}

func checkWait(d Duration, min time.Duration) error {
	if time.Duration(d) < min || time.Duration(d) > maxWait {
		return fmt.Errorf("must be %s to %s, got %s", Duration(min), Duration(maxWait), d)
	}
	return nil
}
