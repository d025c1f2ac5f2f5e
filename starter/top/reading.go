package top

import (
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// reading is what a monitor on the screen was last heard to say.
type reading struct {
	at     time.Time // when it was asked
	status monitor.Status
	failed string // why it gave no answer
	asking bool

	rule  monitor.RuleStatus // the judged one
	trend []float64          // its values, the oldest first
	seen  time.Time          // when the last of trend was judged
}

// trendLength is how many values a sparkline has.
const trendLength = 16

// take keeps an answer. A rule with periods brings its datapoints; of one without,
// each value that was seen here is kept.
func (r *reading) take(status monitor.Status, at time.Time) {
	r.at = at
	r.status = status
	r.failed = ""
	r.asking = false
	_, rules := status.LatestRules()
	rule, ok := judged(rules, status.Policy)
	if !ok {
		return
	}

	if rule.Name != r.rule.Name {
		r.trend = nil
		r.seen = time.Time{}
	}

	r.rule = rule
	if len(rule.Datapoints) > 0 {
		r.trend = r.trend[:0]
		for _, p := range rule.Datapoints[max(0, len(rule.Datapoints)-trendLength):] {
			if value, taken := p.Value.Get(); taken {
				r.trend = append(r.trend, value)
			}
		}
		return
	}

	if value, taken := rule.Value.Get(); taken && rule.At.After(r.seen) {
		r.trend = append(r.trend, value)
		r.seen = rule.At
		r.trend = r.trend[max(0, len(r.trend)-trendLength):]
	}
}

// judged is the rule that a list has room for: the first that breaches and can
// trigger, else the first that breaches, else the first with a value.
func judged(rules []monitor.RuleStatus, wanted policy.Policy) (monitor.RuleStatus, bool) {
	canTrigger := func(name string) bool {
		return slices.ContainsFunc(wanted.Rules, func(r policy.Rule) bool { return r.Name == name && r.CanTrigger() })
	}
	for _, fits := range []func(monitor.RuleStatus) bool{
		func(r monitor.RuleStatus) bool { return r.Verdict == monitor.Breaching && canTrigger(r.Name) },
		func(r monitor.RuleStatus) bool { return r.Verdict == monitor.Breaching },
		func(r monitor.RuleStatus) bool { _, taken := r.Value.Get(); return taken },
	} {
		if i := slices.IndexFunc(rules, fits); i >= 0 {
			return rules[i], true
		}
	}

	return monitor.RuleStatus{}, false
}

// Glyphs of a sparkline, from low to high.
var (
	blocks = []rune("▁▂▃▄▅▆▇█")
	ascii  = []rune("_.-~=*#@")
)

// sparkline draws values between their least and greatest.
func sparkline(values []float64, glyphs []rune) string {
	if len(values) == 0 {
		return ""
	}

	low, high := slices.Min(values), slices.Max(values)
	var line strings.Builder
	for _, v := range values {
		level := len(glyphs) / 2
		if high > low {
			level = int((v - low) / (high - low) * float64(len(glyphs)-1))
		}
		line.WriteRune(glyphs[level])
	}

	return line.String()
}
