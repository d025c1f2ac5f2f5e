package monitor_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
)

// wildPolicy is a policy of which any field may change at any time.
type wildPolicy struct {
	random *rand.Rand
	names  []string                  // of the rules that it may have
	rules  map[string]map[string]any // by name
	fields map[string]any
}

// ruleNames are those that a wild policy has rules of, or has not.
var ruleNames = []string{
	"all", "any", "not", "bad", "slow", "mean", "count", "sum", "worse", "p90", "shift", "stale", "silent", "quiet",
}

// policyFields are those of a policy beside its rules.
var policyFields = []string{"cooldown", "dry_run", "superseded", "approval", "verify", "blackout", "max_failures", "retraining"}

// ruleFields are those of a rule that a policy may change by themselves.
var ruleFields = []string{
	"below", "above", "clear_below", "below_baseline_by", "baseline", "change", "grace", "missing", "min_samples", "datapoints", "time",
	"severity", "condition", "silent_for", "max_age",
}

// newWildPolicy draws one of a few rules, or of many: where there are few, nothing
// else wakes a machine that forgot to ask for it.
func newWildPolicy(random *rand.Rand) *wildPolicy {
	names := pick(random, ruleNames, ruleNames, []string{"bad", "stale", "silent", "quiet"}, []string{"mean", "count", "worse", "not"}, []string{"mean"})
	for {
		p := &wildPolicy{random: random, names: names, rules: map[string]map[string]any{}, fields: map[string]any{}}
		for _, name := range names {
			if random.IntN(2) == 0 {
				p.rules[name] = p.rule(name)
			}
		}
		for _, name := range policyFields {
			if random.IntN(2) == 0 {
				p.setField(name)
			}
		}
		if p.isValid() {
			return p
		}
	}
}

// change redraws one thing, of which a valid policy comes out.
func (p *wildPolicy) change() {
	for {
		changed := &wildPolicy{random: p.random, names: p.names, rules: maps.Clone(p.rules), fields: maps.Clone(p.fields)}
		present := slices.Sorted(maps.Keys(p.rules))
		switch name := pick(p.random, present...); p.random.IntN(8) {
		case 0, 1, 2:
			changed.setField(pick(p.random, policyFields...))
		case 3:
			delete(changed.rules, name)
		case 4:
			name = pick(p.random, p.names...)
			changed.rules[name] = p.rule(name)
		default: // some fields of it
			rule := p.rules[name]
			drawn, redrawn := p.rule(name), maps.Clone(rule)
			for _, field := range ruleFields {
				if p.random.IntN(4) > 0 {
					continue
				}
				if value, drew := drawn[field]; drew {
					redrawn[field] = value
				} else {
					delete(redrawn, field)
				}
			}
			changed.rules[name] = redrawn
		}
		if changed.isValid() {
			*p = *changed
			return
		}
	}
}

func (p *wildPolicy) encoded() []byte {
	fields := map[string]any{}
	for name, field := range p.fields {
		if field != nil {
			fields[name] = field
		}
	}
	var rules []any
	for _, name := range ruleNames {
		if rule, has := p.rules[name]; has {
			rules = append(rules, rule)
		}
	}
	fields["rules"] = rules
	encoded, _ := json.Marshal(fields)
	return encoded
}

func (p *wildPolicy) isValid() bool {
	_, err := monitor.DecodePolicy(p.encoded())
	return err == nil && len(p.rules) > 0
}

func (p *wildPolicy) decoded(t require.TestingT) monitor.Policy {
	policy, err := monitor.DecodePolicy(p.encoded())
	require.NoError(t, err)
	return policy
}

func (p *wildPolicy) setField(name string) {
	r := p.random
	switch name {
	case "cooldown":
		p.fields[name] = pick(r, "0s", "0s", "10s", "1m", "4m")
	case "dry_run":
		p.fields[name] = r.IntN(3) == 0
	case "superseded":
		p.fields[name] = pick(r, "suppress", "trigger")
	case "approval":
		p.fields[name] = pick[any](r, nil, nil, map[string]any{"required": r.IntN(4) > 0, "timeout": pick(r, "10s", "1m"), "on_timeout": pick(r, "approve", "reject")})
	case "verify":
		p.fields[name] = pick[any](r, nil, map[string]any{"within": pick(r, "20s", "2m"), "min_samples": r.IntN(5)})
	case "blackout":
		spans := []any{}
		for range r.IntN(5) {
			from := r.IntN(57)
			spans = append(spans, map[string]any{"from": fmt.Sprintf("12:%02d", from), "to": fmt.Sprintf("12:%02d", from+1+r.IntN(min(12, 59-from)))})
		}
		p.fields[name] = spans
	case "max_failures":
		p.fields[name] = r.IntN(4)
	case "retraining":
		p.fields[name] = map[string]any{"timeout": pick(r, "20s", "3m"), "cancel_on_timeout": r.IntN(2) == 0}
	}
}

// rule draws a rule of a name.
func (p *wildPolicy) rule(name string) map[string]any {
	r := p.random
	rule := map[string]any{"name": name}
	switch r.IntN(8) {
	case 0:
		rule["severity"] = "warning"
	case 1:
		rule["condition"] = true
	}
	window := func(metric, stat string) {
		rule["metric"], rule["stat"], rule["period"] = metric, stat, "10s"
		rule["grace"] = pick(r, "0s", "1s", "7s", "30s")
		if n := r.IntN(4); n > 0 {
			rule["datapoints"] = map[string]any{"breaching": 1 + r.IntN(n), "of": n}
		}
		if r.IntN(4) == 0 {
			rule["time"] = "arrival"
		}
		if stat != "count" && stat != "sum" {
			rule["missing"] = pick(r, "ignore", "breaching", "ok")
			rule["min_samples"] = r.IntN(3)
		}
	}
	switch name {
	case "all", "any":
		var members []string
		for range 1 + r.IntN(3) {
			members = append(members, pick(r, ruleNames[2:]...))
		}
		rule[name+"_of"] = members
	case "not":
		rule["not"] = pick(r, ruleNames[3:]...)
	case "bad":
		rule["metric"], rule["below"] = "accuracy", pick(r, 0.5, 0.7)
	case "slow":
		rule["metric"], rule["above"] = "latency_ms", pick(r, 150, 250)
	case "mean":
		window("accuracy", "mean")
		rule["below"] = pick(r, 0.6, 0.8)
		if r.IntN(3) == 0 {
			rule["clear_below"] = pick(r, 0.8, 0.9)
		}
	case "count", "sum":
		window("latency_ms", name)
		rule[pick(r, "below", "above")] = pick(r, 1, 3, 350)
	case "worse":
		window("accuracy", "mean")
		rule["below_baseline_by"] = pick[any](r, 0.1, "5%")
		rule["baseline"] = map[string]any{"samples": pick(r, 1, 3, 8), "from": pick(r, "first", "previous")}
	case "p90":
		window("latency_ms", "p90")
		rule["above"] = pick(r, 150, 250)
		if r.IntN(3) == 0 {
			rule["clear_above"] = 120
		}
	case "shift":
		window("drift_score", "max")
		delete(rule, "datapoints")
		rule["period"], rule["grace"] = "2s", pick(r, "0s", "1s")
		delete(rule, "missing")
		rule["change"] = map[string]any{"delta": pick(r, 0.5, 0.9), "direction": pick(r, "up", "down", "both"), "hold": pick(r, "5s", "1m")}
	case "stale":
		rule["max_age"] = pick(r, "30s", "2m")
	case "silent", "quiet":
		rule["silent_for"] = pick(r, "15s", "40s", "2m")
	}
	return rule
}
