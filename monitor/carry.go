package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/policy"
)

// SetPolicy puts a valid policy in force. Its cooldown counts from the last
// trigger; a retraining in flight keeps the settings it was started with. What was
// measured for rules whose name, kind, metric, stat and period stay the same is
// kept; what was judged of it is judged anew, or dropped where it can't be. The
// policy that is in force already is no change.
func (m *Machine) SetPolicy(now time.Time, wanted policy.Policy) {
	wanted = wanted.WithDefaults()
	if wanted.Equal(m.state.Policy) {
		return
	}

	now = m.clock(now)
	m.settleStreaks()
	c := m.compare(wanted)
	m.carryTracks(now, c)
	m.carryAges(c, wanted.DryRun != m.state.Policy.DryRun)
	m.carryVerification(wanted)
	if !strict.Equal(wanted.Blackout, m.state.Policy.Blackout) {
		m.state.Calendar = nil
	}
	if wanted.DryRun != m.state.Policy.DryRun {
		m.state.LastHeld = time.Time{} // of another dry run
	}

	m.state.Policy = wanted
	m.state.SilenceCheck = time.Time{}
	m.compile()
	m.findOthers(c)
	m.rejudge(now, c)
	m.decide(Decision{At: now, Kind: policy.PolicyChanged, Reason: c.report()})
	m.reconsider(now, c)
}

// policyChange says what of a policy that is put in force is new.
type policyChange struct {
	old, rules []policy.Rule
	from       []int           // by the number of a rule: that of the old rule whose measurements it takes over, or -1
	isOther    []bool          // rules that differ from the old ones in anything, members of composites included
	judges     []bool          // those of them that judge otherwise, too
	dropped    map[string]bool // rules whose datapoints are gone, by name
}

// compare finds which rules of the policy in force go on in another.
func (m *Machine) compare(wanted policy.Policy) *policyChange {
	c := &policyChange{old: m.state.Policy.Rules, rules: wanted.Rules, from: make([]int, len(wanted.Rules)), dropped: map[string]bool{}}
	for i := range c.rules {
		r := &c.rules[i]
		c.from[i] = slices.IndexFunc(c.old, func(o policy.Rule) bool {
			return r.Name == o.Name && r.Form() == o.Form() && r.Metric == o.Metric && r.Stat == o.Stat && r.Period == o.Period
		})
	}

	for i := range c.old {
		if c.old[i].IsWindowed() && !slices.Contains(c.from, i) {
			c.dropped[c.old[i].Name] = true
		}
	}

	return c
}

// report names the rules whose datapoints are gone.
func (c *policyChange) report() string {
	var names []string
	for i := range c.old {
		if c.dropped[c.old[i].Name] {
			names = append(names, c.old[i].Name)
		}
	}
	if names == nil {
		return ""
	}
	return "dropped what was measured for " + strings.Join(names, ", ")
}

// findOthers finds the rules that are not what they were. The policy is in force
// by then.
func (m *Machine) findOthers(c *policyChange) {
	c.isOther, c.judges = make([]bool, len(c.rules)), make([]bool, len(c.rules))
	for i := range c.rules {
		if c.from[i] < 0 {
			c.isOther[i], c.judges[i] = true, true
			continue
		}

		mine, was := c.rules[i], c.old[c.from[i]]
		c.isOther[i] = !strict.Equal(mine, was)
		for _, r := range []*policy.Rule{&mine, &was} { // these say what a verdict leads to, and when it is found
			r.Severity = ""
			r.Condition = false
			r.Grace = metric.Optional[policy.Duration]{}
		}

		c.judges[i] = !strict.Equal(mine, was)
	}

	for _, composite := range m.composites {
		i := composite.rule
		for _, member := range m.members[i] {
			c.isOther[i] = c.isOther[i] || c.isOther[member]
			c.judges[i] = c.judges[i] || c.judges[member]
		}
	}
}

// carryTracks hands the tracks of the rules on.
func (m *Machine) carryTracks(now time.Time, c *policyChange) {
	m.catchUp(now)
	for _, seen := range m.state.Versions {
		if seen.Rules == nil {
			continue
		}

		tracks := make([]*track, len(c.rules))
		for i := range tracks {
			r := &c.rules[i]
			if c.from[i] < 0 {
				tracks[i] = newTrack(r)
				continue
			}

			tracks[i] = seen.Rules[c.from[i]]
			if w := tracks[i].Window; w != nil && w.carry(&c.old[c.from[i]], r, now) {
				c.dropped[r.Name] = true
			}
		}

		seen.Rules = tracks
	}
}

// carry hands a window on to a rule that measures the same, and says whether its
// datapoints had to be dropped: a rule knows what it knows from when it began to
// know it, and what was judged by another measure is not known.
func (w *window) carry(o, r *policy.Rule, now time.Time) (dropped bool) {
	switch {
	case !r.KnowsSilence():
		w.Silence = 0
	case !o.KnowsSilence():
		w.Silence = r.PeriodOf(now)
	}

	if o.Time != r.Time { // readings were put into other periods
		w.Open = nil
	}
	dropped = len(w.Points) > 0 && (o.Time != r.Time || max(1, o.MinSamples) != max(1, r.MinSamples) || o.BreachesLow() != r.BreachesLow())
	if dropped {
		w.Points = nil
	}
	if o.IgnoresMissing() != r.IgnoresMissing() || o.Missing == policy.MissingBreaching != (r.Missing == policy.MissingBreaching) {
		w.Points = slices.DeleteFunc(w.Points, func(p point) bool { return p.Value.IsZero() })
	}
	w.forget(r)

	if !r.HasBaseline() {
		w.First = nil // it would have a gap; a full one is that of the first readings still
	}
	if r.Change == nil {
		w.Detector = nil
	}
	if r.Change == nil || o.Change == nil || o.Change.Delta != r.Change.Delta || o.Change.Direction != r.Change.Direction {
		w.Changed = time.Time{}
		w.From = metric.Reading{}
		w.To = metric.Reading{}
	}

	return dropped
}

// carryAges forgets what was found of ages and silences that are gone, or may do
// something else now: for these it begins anew. What a dry run held, or what went out
// before one, says nothing of what the other may do.
func (m *Machine) carryAges(c *policyChange, isOtherRun bool) {
	for i := range c.old {
		after := slices.Index(c.from, i)
		if after < 0 || c.rules[after].Severity != c.old[i].Severity || c.rules[after].Condition != c.old[i].Condition {
			delete(m.state.Ages, c.old[i].Name)
		}
	}
	if isOtherRun {
		m.forgetActed()
	}
}

// rejudge derives what the rules say from what was measured, where they judge
// otherwise than before, and drops what waits for a blackout's end where it would
// not wait by now.
func (m *Machine) rejudge(now time.Time, c *policyChange) {
	for _, name := range sortedKeys(m.state.Versions) {
		seen := m.state.Versions[name]
		for i, t := range seen.Rules {
			switch r := &c.rules[i]; {
			case !c.judges[i] || c.from[i] < 0:
			case m.forms[i] == policy.FormWindow:
				m.rejudgeWindow(now, r, t, name)
			case m.forms[i] == policy.FormInstant:
				t.rejudge(r, &c.old[c.from[i]])
			}
		}

		m.judgeStanding(now, seen)
		for i, t := range seen.Rules {
			if c.judges[i] && m.forms[i] == policy.FormComposite {
				t.Verdict = m.findings[i].verdict
			}
			breaches := c.rules[i].CanTrigger() && m.findings[i].verdict == Breaching
			if c.isOther[i] && !breaches {
				t.Deferred = false
			}
		}
	}
}

// rejudge holds what was measured last against another threshold.
func (t *track) rejudge(r, old *policy.Rule) {
	value, measured := t.Value.Get()
	if !measured || r.BreachesLow() != old.BreachesLow() { // of the other side nothing is known
		*t = track{Deferred: t.Deferred}
		return
	}

	threshold := r.Below.Or(r.Above.Or(0))
	t.Threshold = metric.Some(threshold)
	t.Verdict = Healthy
	if r.IsBeyond(value, threshold) {
		t.Verdict = Breaching
	}
}

// rejudgeWindow judges the datapoints that are kept, one after the other.
func (m *Machine) rejudgeWindow(now time.Time, r *policy.Rule, t *track, version string) {
	w := t.Window
	if r.Change != nil {
		t.Verdict = t.standing(r, now)
		t.Threshold = w.From
		return
	}

	threshold, known := m.threshold(r, w, version)
	t.Verdict = Unknown
	w.Held = false
	points := w.Points
	for i := range points {
		points[i].judge(r, threshold, known)
		w.Points = points[:i+1]
		t.Verdict = w.conclude(r, points[i]).verdict
	}

	t.Threshold = metric.Reading{}
	if known {
		t.Threshold = metric.Some(threshold)
	}
}

// reconsider takes back what waits for an operator's word where the policy that asked
// for it is no longer in force and this one would not ask.
func (m *Machine) reconsider(now time.Time, c *policyChange) {
	pending := m.state.Pending
	if pending == nil {
		return
	}

	why := ""
	i, known := m.ruleNumber[pending.Rule]
	switch isOther := pending.Rule != modelops.RuleManual && (!known || c.isOther[i]); {
	case m.state.Policy.DryRun:
		why = "the policy is a dry run now, which asks for nothing"
	case now.Before(m.CooldownUntil()):
		why = fmt.Sprintf("in cooldown until %s, by the policy applied", m.CooldownUntil().Format(time.RFC3339))
	case !isOther:
	case !m.stillBreaches(now, pending.Request):
		why = "it does not breach by the policy applied"
	default:
		pending.Request = m.request(i, pending.ModelVersion, m.state.Versions[pending.ModelVersion])
	}

	if why == "" {
		return
	}

	m.state.Pending = nil
	m.forgetActed()
	d := decisionOf(now, policy.ApprovalRejected, pending.Request)
	d.Reason = why
	m.decide(d)
}
