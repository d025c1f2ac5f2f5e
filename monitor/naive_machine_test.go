package monitor_test

import (
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// naive is a second machine, written from docs/policies.md and the doc comments
// of monitor, without a thought for speed, for the size of a state or for being
// cut. It forgets nothing that it was shown and finds everything anew whenever it
// looks, so that a reader can hold each function against the page that it is
// written from. Whatever the machine decides, it must decide too.
type naive struct {
	policy   policy.Policy
	counters monitor.Counters
	decided  []monitor.Decision
	notices  []monitor.Notice // that wait to be delivered

	looked      time.Time   // when it last let time pass
	timer       time.Time   // when the shell is to wake it, as it asked; zero: never
	lastTrigger time.Time   // or the last answer that there shall be none
	lastHeld    time.Time   // by a dry run
	wentOut     []time.Time // every retraining but those that were given up before they did
	heldAt      []time.Time // by this dry run
	lastSuccess time.Time
	firstEvent  time.Time
	returned    time.Time // from its last outage

	stopped, paused *monitor.Control
	pending         *retraining.Pending
	flight          *monitor.Flight
	verification    *retraining.Verification
	ages            map[string]*age    // what was found of rules on age and silence, by name
	ended           []ending           // retrainings that are in flight no more, the oldest first
	cancelling      []modelops.Request // that their backends are to be told to end
	failures        int                // in a row

	latest   string // the version heard of last
	versions map[string]*naiveVersion
	heard    hearing
}

// naiveVersion is what was seen of one model version.
type naiveVersion struct {
	name         string
	number       int       // the later it began, the higher
	first, heard time.Time // when its first and its last event were handled
	lastSeen     time.Time // the latest timestamp of an event
	readings     map[string][]float64
	supersededBy string
	ledgers      map[string]*ledger // by rule; nil where four others were heard of since
}

// ending is a retraining that is in flight no more.
type ending struct {
	id, rule, version string
	kind              policy.Kind
	failures          int // in a row, before it was accepted
}

// age is what was found of a rule on age or silence. It is the model's, whichever
// version is heard.
type age struct {
	verdict monitor.Verdict
	at      time.Time // when it began, or ended
	acted   time.Time // when it led to a trigger, to a question or to what a dry run holds; zero: not yet
}

func newNaive(policy policy.Policy) *naive {
	return &naive{policy: policy.WithDefaults(), ages: map[string]*age{}, versions: map[string]*naiveVersion{}, heard: hearing{publishers: map[string]*naivePublisher{}}}
}

// observed is one event, or one digest, of which every reading is known.
type observed struct {
	version     string
	events      int64
	first, last time.Time // timestamps of the events
	from, until time.Time // when they were folded; the same where it is one event
	readings    map[string][]float64
}

// observe counts an observation and decides about it.
func (n *naive) observe(now time.Time, o *observed) {
	n.rest(now)
	v := n.hear(now, o)
	n.startVerification(now, v)

	found := findings{}
	for i := range n.policy.Rules {
		r := &n.policy.Rules[i]
		values := o.readings[r.Metric]
		switch l := v.ledgers[r.Name]; {
		case r.Metric == "":
		case r.Period.IsZero() && len(values) > 0:
			found[r.Name] = l.judgeInstant(r, now, values)
		case !r.Period.IsZero():
			n.file(r, l, o, now)
		}
	}
	endsBefore := func(instant time.Time) bool {
		switch {
		case now.Before(instant):
			return true
		case now.Sub(o.until) > 48*time.Hour: // a clock that is wrong
			return false
		}
		return o.until.Before(instant) || o.until.Equal(instant) && o.from.Before(instant)
	}
	n.decideOn(now, v, found, endsBefore)
	n.countSamples(now, v, o.events)
}

// hear notes whom an observation is of.
func (n *naive) hear(now time.Time, o *observed) *naiveVersion {
	n.counters.Events += o.events
	if n.firstEvent.IsZero() {
		n.firstEvent = now
	}
	v := n.versions[o.version]
	if v == nil {
		v = &naiveVersion{name: o.version, number: len(n.versions), first: now, readings: map[string][]float64{}}
		n.versions[o.version] = v
	}
	if v.lastSeen.IsZero() || o.last.After(v.lastSeen) {
		v.lastSeen = o.last
	}
	v.heard, n.latest = now, o.version
	for metric, values := range o.readings {
		v.readings[metric] = append(v.readings[metric], values...)
	}
	if v.ledgers == nil {
		v.ledgers = map[string]*ledger{}
		for _, r := range n.policy.Rules {
			v.ledgers[r.Name] = &ledger{}
		}
	}
	n.forgetVersions(v)
	return v
}

// forgetVersions keeps datapoints of the four versions heard of last.
func (n *naive) forgetVersions(but *naiveVersion) {
	var known []*naiveVersion
	for _, v := range n.inOrder() {
		if v.ledgers != nil && v != but {
			known = append(known, v)
		}
	}
	slices.SortStableFunc(known, func(a, b *naiveVersion) int { return a.heard.Compare(b.heard) })
	for _, v := range known[:max(0, len(known)-3)] {
		v.ledgers = nil
	}
}

// inOrder is all versions by name: the order in which they are judged.
func (n *naive) inOrder() []*naiveVersion {
	var all []*naiveVersion
	for _, v := range n.versions {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b *naiveVersion) int { return cmp.Compare(a.name, b.name) })
	return all
}

// tick lets time pass: what has ended by itself ends first, then what is due is
// judged, then what was held back goes out.
func (n *naive) tick(now time.Time) {
	if !n.timer.IsZero() && now.Sub(n.timer) > 10*time.Second {
		n.returned = now // nobody was there to wake
		n.passOverSilence(now)
	}
	for before := -1; before < len(n.decided); { // what one thing decides may make another due
		before = len(n.decided)
		n.timeOutFlight(now)
		if n.stopped != nil {
			n.judgeHeld(now)
			continue
		}
		n.timeOutApproval(now)
		n.judgeDatapoints(now)
		n.judgeHeld(now)
		n.endVerification(now)
		n.judgeAges(now)
		n.endBlackout(now)
	}
	n.looked, n.timer = now, time.Time{}
}

func (n *naive) rule(name string) *policy.Rule {
	for i := range n.policy.Rules {
		if n.policy.Rules[i].Name == name {
			return &n.policy.Rules[i]
		}
	}
	return nil
}

func (n *naive) decide(d monitor.Decision) {
	n.notify(d)
	n.decided = append(n.decided, d)
}

// log is what a status shows of the decisions: the last 50, in which a streak has two
// entries, its first and its last, whose count is of all but the first. A streak is
// all that is suppressed for one reason, or all warnings of one rule, until something
// else than these is decided.
func (n *naive) log() []monitor.Decision {
	log := []monitor.Decision{}
	for _, d := range n.decided {
		var streak []int
		for i := len(log) - 1; i >= 0 && isRepeatable(d) && isRepeatable(log[i]); i-- {
			if log[i].Kind == d.Kind && log[i].SuppressedBy == d.SuppressedBy && (d.Kind == policy.Suppressed || log[i].Rule == d.Rule) {
				streak = append(streak, i)
			}
		}
		if len(streak) < 2 {
			log = append(log, d)
			log = log[max(0, len(log)-50):]
			continue
		}
		d.Count += log[streak[0]].Count
		log[streak[0]] = d
	}
	return log
}

func isRepeatable(d monitor.Decision) bool {
	return d.Kind == policy.Suppressed || d.Kind == policy.Warned
}

// kindOf says what kind of rule it is, as the table of docs/policies.md has it.
func kindOf(r *policy.Rule) string {
	switch {
	case r.AllOf != nil || r.AnyOf != nil || r.Not != "":
		return "composite"
	case !r.MaxAge.IsZero():
		return "age"
	case !r.SilentFor.IsZero():
		return "silence"
	case !r.Period.IsZero():
		return "period"
	}
	return "instant"
}

func (n *naive) pause(now time.Time, by, reason string) {
	if n.paused == nil {
		n.paused = &monitor.Control{By: by, Reason: reason, At: now}
		n.decide(monitor.Decision{At: now, Kind: policy.Paused, By: by, Reason: reason})
	}
}

func (n *naive) resume(now time.Time, by, reason string) {
	if n.paused == nil {
		return
	}
	if n.paused.By == "circuit" {
		n.endRow()
	}
	n.paused = nil
	n.decide(monitor.Decision{At: now, Kind: policy.Resumed, By: by, Reason: reason})
}

func (n *naive) stop(now time.Time, by, reason string) {
	if n.stopped == nil {
		n.stopped, n.pending = &monitor.Control{By: by, Reason: reason, At: now}, nil
		n.decide(monitor.Decision{At: now, Kind: policy.Stopped, By: by, Reason: reason})
	}
}

// shorten cuts a text to at most 300 bytes, as all free text is.
func shorten(text string) string {
	if len(text) <= 300 {
		return text
	}
	end := 297
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
