// Package watch is what a monitor has seen of a model: its versions, what was measured
// of each, and what the rules say by it. It decides nothing.
package watch

import (
	"iter"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/metric/table"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/monitor/window"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// Seen is what a monitor's state has of the model.
type Seen struct {
	LastSuccess time.Time           `json:"last_success,omitzero"` // or the last retraining accepted
	FirstEvent  time.Time           `json:"first_event,omitzero"`
	Resumed     time.Time           `json:"resumed,omitzero"` // when this side was back after an outage
	Latest      string              `json:"latest,omitempty"` // the model version heard of last
	Versions    map[string]*Version `json:"versions,omitempty"`
	// Scheduled is until when each schedule was judged, in Unix seconds, by its rule's name.
	Scheduled map[string]int64 `json:"scheduled,omitempty"`
	Ages
}

// Watch judges what is seen by a policy.
type Watch struct {
	kept
	judgement Judgement // that onJudged hears of, of rules with a period
	finding   Judgement // and of those without

	// What follows from the policy.
	forms      []policy.Form
	rules      []window.Rule
	lags       []lag // of rules with a period
	windowed   []int // the rules with a period
	composites *verdict.Composites
	mayRest    bool // silence of a rule may be fine
	hasAges    bool
	hasDrift   bool
	scheduled  []int // the rules with a schedule

	dependsOnSchedule []bool // those, and the composites that hold one

	ofProfiles []*contrast.Comparison // of rules held against training data what each version begins with, by rule; nil until it is asked for

	// What follows from what is seen, kept for speed.
	columns  *table.Columns    // of the last observation
	places   []int             // in them, of the rules' metrics
	findings []verdict.Finding // of the rules, at the moment
	moment   Moment
	tracked  []*Version // those that have tracks, by name
	current  *Version   // the version last looked up
	name     string     // its name
	stood    stood
	deferred bool // something may wait for a blackout's end; false: nothing does
}

// kept is what another policy changes nothing of.
type kept struct {
	seen     *Seen
	policy   *policy.Policy
	zones    map[string][]calendar.Shift // whose clocks the periods of rules go by
	counts   *journal.Counters
	onJudged *func(*Judgement)
	work     int64
}

// lag is how long after the end of a period its datapoint is due.
type lag struct {
	seconds, nanoseconds int64
	knowsSilence         bool // a period without a reading is a datapoint too
}

// stood are the verdicts that members of composites had on one version at one instant.
type stood struct {
	version  *Version
	at       time.Time
	verdicts []verdict.Verdict // by rule
}

// What handling an input costs, in steps of some nanoseconds each.
const (
	observationWork = 40  // an observation, beside its metrics and the rules
	versionWork     = 400 // a version that was not heard of before
)

// Open begins to watch, by a policy that is in force and the calendar that is known of
// it, nil before one is. What is counted goes to counts; onJudged, where it is set, hears
// of each rule's word.
func (w *Watch) Open(seen *Seen, policy *policy.Policy, known *calendar.Calendar, counts *journal.Counters, onJudged *func(*Judgement)) {
	*w = Watch{kept: kept{seen: seen, policy: policy, counts: counts, onJudged: onJudged}}
	if known != nil {
		w.zones = known.Zones
	}
	w.AdoptPolicy()
}

// SetZones lets the periods of rules go by what was computed of the zones that they
// name.
func (w *Watch) SetZones(zones map[string][]calendar.Shift) {
	w.zones = zones
	for i := range w.rules {
		w.rules[i] = window.RuleOf(&w.policy.Rules[i], zones)
	}
}

// AdoptPolicy goes on with other rules: the policy has changed.
func (w *Watch) AdoptPolicy() {
	rules := w.policy.Rules
	*w = Watch{kept: w.kept, deferred: true}
	w.forms = make([]policy.Form, len(rules))
	w.rules = make([]window.Rule, len(rules))
	w.lags = make([]lag, len(rules))
	w.places = make([]int, len(rules))
	w.findings = make([]verdict.Finding, len(rules))
	w.stood.verdicts = make([]verdict.Verdict, len(rules))
	w.moment = Moment{Findings: w.findings, watch: w}

	for i := range rules {
		r := &rules[i]
		w.forms[i] = r.Form()
		w.mayRest = w.mayRest || r.Missing == policy.MissingOK
		w.hasAges = w.hasAges || w.isAge(i)
		w.hasDrift = w.hasDrift || r.IsDrift()
		if w.forms[i] == policy.FormWindow {
			w.windowed = append(w.windowed, i)
			grace := r.GraceLength()
			w.lags[i] = lag{int64(grace / time.Second), int64(grace % time.Second), r.KnowsSilence()}
		}
	}

	w.composites = verdict.CompositesOf(rules)
	w.listTracked()
	w.SetZones(w.zones)
	w.followSchedules()
	w.holdProfiles()
}

// locate finds the metrics of the rules in the columns of an observation.
func (w *Watch) locate(columns *table.Columns) {
	if w.columns == columns {
		return
	}
	w.columns = columns
	for i := range w.places {
		w.places[i] = columns.Place(w.policy.Rules[i].Metric)
	}
}

// Forget drops what is kept of the versions for speed: the next signal begins, or
// they are about to change.
func (w *Watch) Forget() { w.stood.version = nil }

// Work counts what was done so far, in steps of some nanoseconds.
func (w *Watch) Work() int64 { return w.work }

// Number is that of a rule in the policy, and whether it has one.
func (w *Watch) Number(rule string) (number int, isKnown bool) {
	for i := range w.policy.Rules {
		if w.policy.Rules[i].Name == rule {
			return i, true
		}
	}
	return 0, false
}

// isAge says that a rule is on age, silence or new readings: it is judged of the whole
// model, when time is let pass.
func (w *Watch) isAge(rule int) bool {
	form := w.forms[rule]
	return form == policy.FormAge || form == policy.FormSilence || form == policy.FormReadings
}

// Defer lets a breach of a rule wait for the end of the blackout that is on, and says
// whether that is needed: ages and silences are looked at then anyway.
func (m *Moment) Defer(rule int) {
	if !m.watch.isAge(rule) {
		m.Seen.Rules[rule].Deferred = true
		m.watch.deferred = true
	}
}

// HasDeferred says that something waits for a blackout's end.
func (w *Watch) HasDeferred() bool {
	if !w.deferred {
		return false
	}
	for _, seen := range w.tracked {
		if seen.hasDeferred() {
			return true
		}
	}
	w.deferred = false
	return false
}

func (v *Version) hasDeferred() bool {
	return slices.ContainsFunc(v.Rules, func(t *window.Track) bool { return t.Deferred })
}

// Resume gives back what was deferred in a blackout: for each version the first rule
// that still breaches.
func (w *Watch) Resume(now time.Time) iter.Seq2[*Moment, int] {
	return func(yield func(*Moment, int) bool) {
		for _, seen := range w.tracked {
			if !seen.hasDeferred() {
				continue
			}

			moment := w.Of(now, seen.name, seen)
			moment.stand()
			chosen := -1
			for i, t := range seen.Rules {
				if t.Deferred && chosen < 0 && moment.Findings[i].Verdict == verdict.Breaching {
					chosen = i
				}
				t.Deferred = false
			}

			if chosen >= 0 && !yield(moment, chosen) {
				return
			}
		}
	}
}
