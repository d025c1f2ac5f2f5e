package monitor_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// generator makes scripts, of which one seed gives one.
type generator struct {
	*rand.Rand
	at      time.Duration
	numbers map[string]int64
	policy  map[string]any
	isDense bool    // events come without a pause
	level   float64 // of drift
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) seconds(from ...int) time.Duration {
	return time.Duration(pick(g, from...)) * time.Second
}

// chance says yes so many times in a hundred.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// generate makes a script of at most so many inputs.
func generate(seed uint64, most int) script {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), numbers: map[string]int64{}}
	g.isDense = g.chance(20)
	s := script{{Policy: g.newPolicy()}}
	length := 1 + g.IntN(most)
	if g.isDense {
		length = most
	}
	for range length {
		var in input
		if g.isDense && g.chance(80) { // an event a second, which a detector of change needs
			in.Event = g.event()
			in.Event.Version = "v1"
			g.at += time.Second
		} else {
			g.at += g.pause() // under the policy before
			in = g.input()
		}
		in.At = policy.Duration(g.at + pick[time.Duration](g, 0, 0, 0, 0, 0, 0, 0, 1, 500*time.Millisecond))
		in.Early = g.chance(10)
		in.Joined = g.chance(10)
		if n := len(s); in.At < s[n-1].At {
			in.At = s[n-1].At
		}
		s = append(s, in)
	}
	return s
}

// pause is how long nothing happens. Where nothing is judged or asked for meanwhile
// it may be days.
func (g *generator) pause() time.Duration {
	isQuiet := !slices.ContainsFunc(g.policy["rules"].([]any), func(r any) bool {
		rule := r.(map[string]any)
		return rule["period"] != nil || rule["max_age"] != nil || rule["silent_for"] != nil
	})
	switch {
	case isQuiet && g.chance(8):
		return pick(g, 61*time.Minute, 23*time.Hour, 25*time.Hour, 47*time.Hour, 48*time.Hour, 49*time.Hour)
	case g.chance(1):
		return 20 * time.Minute
	}
	return g.seconds(0, 0, 1, 2, 3, 5, 7, 10, 15, 40, 120)
}

func (g *generator) input() (in input) {
	switch n := g.IntN(100); {
	case n < 45:
		in.Event = g.event()
	case n < 60:
		in.Batch = g.batch()
	case n < 61:
		in.Stray = true
	case n < 81:
		in.Backend = &backendInput{
			Say:     pick(g, "followed", "accepted", "refused", "succeeded", "succeeded", "succeeded", "succeeded", "failed", "held", "told", "untold", "noticed", "unnoticed"),
			Version: pick(g, "", "v1", "v2", "v2", "v3"), Before: pick(g, 0, 0, 0, 0, 0, 0, 1, 2),
		}
	case n < 92:
		in.Word = &wordInput{Say: pick(g, "pause", "resume", "resume", "retrain", "force", "approve", "approve", "reject", "cancel"), By: "ada"}
		if g.chance(3) {
			in.Word.Say = "stop"
		}
		if g.chance(30) {
			in.Word.Reason = "why not"
		}
	case n < 96:
		in.Policy = g.changedPolicy()
	default:
		in.Away = policy.Duration(g.seconds(1, 9, 10, 11, 30, 100))
	}
	return in
}

// Readings are sums of few powers of two, so that a sum of them is the same in
// whatever order they are added.
func (g *generator) event() *eventInput {
	e := &eventInput{Version: pick(g, "v1", "v1", "v1", "v2", "v2", "v3", "v4", "v5"), Readings: map[string]float64{}}
	if g.chance(80) {
		e.Readings["accuracy"] = pick(g, 0.25, 0.5, 0.75, 0.875, 0.9375)
	}
	if g.chance(50) {
		e.Readings["latency_ms"] = pick(g, 100.0, 200, 250, 300)
	}
	if g.chance(3) {
		g.level = 8 - g.level
	}
	if g.chance(50) || g.isDense {
		e.Readings["drift_score"] = g.level + pick(g, 0.0625, 0.125, 0.5)
	}
	if g.chance(10) {
		e.Behind = policy.Duration(g.seconds(-5, 1, 5, 20, 120, 49*3600))
	}
	return e
}

func (g *generator) batch() *batchInput {
	b := &batchInput{Publisher: pick(g, "p", "q")}
	if !g.chance(15) { // else it comes again
		g.numbers[b.Publisher] += pick[int64](g, 1, 1, 1, 2)
	}
	b.Number = max(1, g.numbers[b.Publisher])
	g.numbers[b.Publisher] = b.Number
	b.Closed = g.chance(5)
	for range g.IntN(3) {
		d := digestInput{Span: policy.Duration(g.seconds(0, 1, 4, 30))}
		if g.chance(20) {
			d.Behind = policy.Duration(g.seconds(-2, 1, 5, 30, 47*3600, 49*3600))
		}
		version := g.event().Version
		for range pick(g, 1, 1, 2, 3, 5, 0) {
			e := g.event()
			e.Version, e.Times = version, pick(g, 0, 0, 0, 3, 20)
			d.Events = append(d.Events, *e)
		}
		b.Digests = append(b.Digests, d)
	}
	return b
}

// newPolicy makes one of any rules.
func (g *generator) newPolicy() json.RawMessage {
	for {
		g.policy = map[string]any{}
		for _, field := range policyFields {
			field(g)
		}
		if wire := mustJSON(g.policy); isPolicy(wire) {
			return wire
		}
	}
}

// changedPolicy changes one field of the policy in force, or one rule.
func (g *generator) changedPolicy() json.RawMessage {
	before := g.policy
	for {
		g.policy = map[string]any{}
		for name, value := range before {
			g.policy[name] = value
		}
		if g.chance(40) {
			g.changeRule()
		} else {
			policyFields[g.IntN(len(policyFields))](g)
		}
		if wire := mustJSON(g.policy); isPolicy(wire) {
			return wire
		}
	}
}

func isPolicy(wire json.RawMessage) bool {
	_, err := policy.Decode(wire)
	return err == nil
}

// set puts a field into the policy so many times in a hundred, else takes it out.
func (g *generator) set(percent int, field string, value any) {
	delete(g.policy, field)
	if g.chance(percent) {
		g.policy[field] = value
	}
}

var policyFields = []func(g *generator){
	func(g *generator) {
		var rules []any
		for i := range 1 + g.IntN(4) {
			rules = append(rules, g.rule(i))
		}
		g.set(100, "rules", rules)
	},
	func(g *generator) { g.set(100, "cooldown", pick(g, "0s", "1s", "10s", "30s", "2m")) },
	func(g *generator) { g.set(20, "team", pick(g, "payments", "search")) }, // changes nothing
	func(g *generator) { g.set(30, "superseded", pick(g, "suppress", "trigger")) },
	func(g *generator) { g.set(30, "max_failures", pick(g, 0, 1, 2, 3)) },
	func(g *generator) { g.set(15, "dry_run", true) },
	func(g *generator) {
		g.set(30, "budget", map[string]any{"retrainings": pick(g, 1, 2, 3, 1000), "per": pick(g, "10s", "1m", "5m")})
	},
	func(g *generator) {
		g.set(25, "approval", map[string]any{
			"required": !g.chance(10), "timeout": pick(g, "1s", "20s", "1m"), "on_timeout": pick(g, "approve", "reject"),
		})
	},
	func(g *generator) {
		g.set(40, "verify", map[string]any{"within": pick(g, "5s", "30s", "2m"), "min_samples": pick(g, 1, 2, 3, 20)})
	},
	func(g *generator) {
		g.set(30, "blackout", pick(g,
			[]any{map[string]any{"from": "12:01", "to": "12:02"}, map[string]any{"from": "12:03", "to": "12:06", "days": "sun"}},
			[]any{map[string]any{"from": "17:35", "to": "17:33", "zone": "Asia/Kolkata"}, map[string]any{"from": "12:02", "to": "12:03", "days": "mon"}},
			[]any{map[string]any{"from": "11:00", "to": "12:02"}, map[string]any{"from": "12:02", "to": "12:04"}, map[string]any{"from": "12:10", "to": "12:20"}},
		))
	},
	func(g *generator) {
		g.set(20, "notify", []any{
			map[string]any{"channel": "chat"}, map[string]any{"channel": "pager", "kinds": pick(g, []string{"warned", "failed"}, []string{"paused", "triggered", "held"})},
		})
	},
	func(g *generator) {
		g.set(50, "retraining", map[string]any{
			"timeout": pick(g, "1s", "20s", "2m", "10m"), "cancel_on_timeout": g.chance(50), "priority": g.IntN(6),
			"backend": pick(g, "", "webhook"), "params": map[string]any{"epochs": g.IntN(3)},
		})
	},
}

// changeRule changes fields of one rule.
func (g *generator) changeRule() {
	rules := slices.Clone(g.policy["rules"].([]any))
	i := g.IntN(len(rules))
	changed := map[string]any{}
	for name, value := range rules[i].(map[string]any) {
		changed[name] = value
	}
	other := g.rule(i)
	for _, name := range ruleFields {
		if value, has := other[name]; has && g.chance(20) {
			changed[name] = value
		} else if g.chance(5) {
			delete(changed, name)
		}
	}
	rules[i] = changed
	g.policy["rules"] = rules
}

// ruleFields are those that may change while what was measured stays.
var ruleFields = []string{
	"below", "above", "clear_below", "clear_above", "below_baseline_by", "above_baseline_by", "baseline", "change", "datapoints",
	"min_samples", "missing", "grace", "time", "all_of", "any_of", "not", "max_age", "silent_for", "severity", "condition", "stat", "period",
}

// ruleNames are few, so that a changed policy often has a rule of the same name.
var ruleNames = []string{"a", "b", "c", "d", "e", "f"}

func (g *generator) rule(i int) map[string]any {
	r := map[string]any{"name": ruleNames[i]}
	g.kind(r, i)
	switch {
	case g.chance(20):
		r["severity"] = "warning"
	case g.chance(15):
		r["condition"] = true
	}
	return r
}

// kind makes it one of the kinds of rules.
func (g *generator) kind(r map[string]any, i int) {
	switch n := g.IntN(100); {
	case n < 15 && i > 0:
		members := []string{ruleNames[g.IntN(i)], ruleNames[g.IntN(i)]}
		switch pick(g, "all_of", "any_of", "not") {
		case "all_of":
			r["all_of"] = members
		case "any_of":
			r["any_of"] = members
		default:
			r["not"] = members[0]
		}
	case n < 20:
		r["max_age"] = pick(g, "5s", "30s", "2m", "10m")
	case n < 25:
		r["silent_for"] = pick(g, "1s", "5s", "30s", "2m")
	case n < 45:
		g.threshold(r)
	default:
		g.period(r)
	}
}

// period makes it a rule with a period.
func (g *generator) period(r map[string]any) {
	g.threshold(r)
	r["period"] = pick(g, "5s", "10s", "15s")
	r["stat"] = pick(g, "min", "max", "mean", "mean", "sum", "count", "p50", "p90", "p99.9")
	isTotal := r["stat"] == "sum" || r["stat"] == "count"
	switch n := g.IntN(100); {
	case isTotal && n < 50:
		delete(r, "below")
		delete(r, "above")
		r[pick(g, "below", "above")] = pick(g, 1, 2, 5)
	case n < 10 || g.isDense && n < 50:
		delete(r, "below")
		delete(r, "above")
		r["metric"], r["period"] = "drift_score", pick(g, "1s", "2s")
		r["stat"] = pick(g, "mean", "max", "count", "sum")
		isTotal = r["stat"] == "sum" || r["stat"] == "count"
		r["change"] = map[string]any{"direction": pick(g, "up", "down", "both"), "delta": pick(g, 0.002, 0.5, 0.999), "hold": pick(g, "1s", "20s", "1m")}
	case n < 25 && !isTotal:
		delete(r, "below")
		delete(r, "above")
		r[pick(g, "below_baseline_by", "above_baseline_by")] = pick[any](g, "12.5%", 0.125, "50%", 0)
		r["baseline"] = map[string]any{"samples": pick(g, 1, 3, 10, 50), "from": pick(g, "first", "previous")}
	case n < 45:
		if below, ok := r["below"].(float64); ok {
			r["clear_below"] = below + 0.125
		} else {
			r["clear_above"] = 0.0625
		}
	}
	if r["change"] == nil && g.chance(40) {
		of := 1 + g.IntN(4)
		r["datapoints"] = map[string]any{"breaching": 1 + g.IntN(of), "of": of}
	}
	if !isTotal && g.chance(30) {
		r["min_samples"] = pick(g, 2, 3, 10)
	}
	if g.chance(30) {
		r["time"] = pick(g, "event", "arrival")
	}
	if !isTotal {
		r["missing"] = pick(g, "ignore", "breaching", "ok")
	}
	if g.chance(60) {
		r["grace"] = pick(g, "0s", "1s", "20s")
	}
}

// threshold gives it a metric and one of its sides.
func (g *generator) threshold(r map[string]any) {
	r["metric"] = pick(g, "accuracy", "accuracy", "latency_ms", "drift_score")
	switch r["metric"] {
	case "accuracy":
		r["below"] = pick(g, 0.3, 0.5, 0.75, 0.9)
	case "latency_ms":
		r["above"] = pick(g, 150, 250, 275)
	default:
		r["above"] = pick(g, 0.0625, 0.1, 0.25)
	}
}
