package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
)

// Change says what of a policy that is put in force is new.
type Change struct {
	old, rules []policy.Rule
	from       []int           // by the number of a rule: that of the old rule whose measurements it takes over, or -1
	isOther    []bool          // rules that differ from the old ones in anything, members of composites included
	judges     []bool          // those of them that judge otherwise, too
	dropped    map[string]bool // rules whose datapoints are gone, by name
}

// Carry hands what was measured for the rules in force on to those of another policy,
// before that is put in force. Rejudge goes on where it is. passed is until when time
// was let pass.
func (w *Watch) Carry(now, passed time.Time, wanted *policy.Policy) *Change {
	c := compare(w.policy, wanted)
	w.catchUp(passed)
	w.carryTracks(now, c)
	w.carryAges(c, wanted.DryRun != w.policy.DryRun)
	return c
}

// compare finds which rules of the policy in force go on in another.
func compare(old, wanted *policy.Policy) *Change {
	c := &Change{old: old.Rules, rules: wanted.Rules, from: make([]int, len(wanted.Rules)), dropped: map[string]bool{}}
	for i := range c.rules {
		r := &c.rules[i]
		c.from[i] = slices.IndexFunc(c.old, func(o policy.Rule) bool {
			return measuresAlike(&o, r) && strict.Equal(old.ProfileOf(&o), wanted.ProfileOf(r))
		})
	}

	for i := range c.old {
		if c.old[i].IsWindowed() && !slices.Contains(c.from, i) {
			c.dropped[c.old[i].Name] = true
		}
	}

	return c
}

// measuresAlike says that a rule of one policy measures what one of another does, over the
// same periods: what they say of it may differ.
func measuresAlike(o, r *policy.Rule) bool {
	return r.Name == o.Name && r.Form() == o.Form() && r.Metric == o.Metric && r.Stat == o.Stat &&
		r.Period == o.Period && r.Offset == o.Offset && r.Zone == o.Zone && r.Schedule == o.Schedule
}

// Report names the rules whose datapoints are gone.
func (c *Change) Report() string {
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

// IsOther says that a rule differs from what it was in anything.
func (c *Change) IsOther(rule int) bool { return c.isOther[rule] }

// carryTracks hands the tracks of the rules on.
func (w *Watch) carryTracks(now time.Time, c *Change) {
	for _, seen := range w.tracked {
		tracks := make([]*window.Track, len(c.rules))
		for i := range tracks {
			r := window.RuleOf(&c.rules[i], w.zones)
			if c.from[i] < 0 {
				tracks[i] = window.NewTrack(r.Rule)
				continue
			}

			tracks[i] = seen.Rules[c.from[i]]
			if recent := tracks[i].Window; recent != nil && recent.Carry(&c.old[c.from[i]], &r, now) {
				c.dropped[r.Name] = true
			}
		}

		seen.Rules = tracks
	}
}

// carryAges forgets what was found of ages and silences that are gone, or may do
// something else now: for these it begins anew. What a dry run held, or what went out
// before one, says nothing of what the other may do.
func (w *Watch) carryAges(c *Change, isOtherRun bool) {
	w.seen.SilenceCheck = time.Time{}
	for i := range c.old {
		after := slices.Index(c.from, i)
		if after < 0 || c.rules[after].Severity != c.old[i].Severity || c.rules[after].Condition != c.old[i].Condition {
			delete(w.seen.AgeFindings, c.old[i].Name)
		}
		if after < 0 {
			delete(w.seen.Readings, c.old[i].Name)
			delete(w.seen.Scheduled, c.old[i].Name)
		}
	}
	if isOtherRun {
		w.ForgetActed()
	}
}

// Rejudge goes on with the rules of the policy that is in force by now: it derives what
// they say from what was measured, where they judge otherwise than before, and drops
// what waits for a blackout's end where it would not wait by now.
func (w *Watch) Rejudge(now time.Time, c *Change) {
	w.AdoptPolicy()
	w.findOthers(c)
	for _, seen := range w.tracked {
		for i, t := range seen.Rules {
			if !c.judges[i] || c.from[i] < 0 {
				continue
			}
			if t.Window != nil {
				w.learnPrevious(i, seen.name, t.Window)
			}
			t.Rejudge(&w.rules[i], &c.old[c.from[i]], now)
		}

		moment := w.Of(now, seen.name, seen)
		moment.stand()
		for i, t := range seen.Rules {
			if c.judges[i] && w.forms[i] == policy.FormComposite {
				t.Verdict = moment.Findings[i].Verdict
			}
			breaches := c.rules[i].CanTrigger() && moment.Findings[i].Verdict == verdict.Breaching
			if c.isOther[i] && !breaches {
				t.Deferred = false
			}
		}
	}
}

// findOthers finds the rules that are not what they were.
func (w *Watch) findOthers(c *Change) {
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

	for i := range w.composites.Rules {
		for _, member := range w.composites.Members(i) {
			c.isOther[i] = c.isOther[i] || c.isOther[member]
			c.judges[i] = c.judges[i] || c.judges[member]
		}
	}
}
