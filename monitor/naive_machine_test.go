package monitor_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/monitor"
)

// naive is a second machine, written from docs/policies.md and the doc comments
// of monitor, without a thought for speed, for the size of a state or for being
// cut. It forgets nothing that it was shown and finds everything anew whenever it
// looks, so that a reader can hold each function against the page that it is
// written from. Whatever the machine decides, it must decide too.
type naive struct {
	policy   monitor.Policy
	counters monitor.Counters
	decided  []monitor.Decision
	notices  []monitor.Notice // that wait to be delivered

	looked      time.Time // when it last let time pass
	timer       time.Time // when the shell is to wake it, as it asked; zero: never
	lastTrigger time.Time // or the last answer that there shall be none
	lastHeld    time.Time // by a dry run
	lastSuccess time.Time
	firstEvent  time.Time
	returned    time.Time // from its last outage

	stopped, paused *monitor.Control
	pending         *monitor.Pending
	flight          *monitor.Flight
	verification    *monitor.Verification
	ages            map[string]*age             // what was found of rules on age and silence, by name
	ended           []ending                    // retrainings that are in flight no more, the oldest first
	cancelling      []monitor.RetrainingRequest // that their backends are to be told to end
	failures        int                         // in a row

	latest     string // the version heard of last
	versions   map[string]*naiveVersion
	publishers map[string]*naivePublisher
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

type naivePublisher struct {
	number   int64
	lastWord time.Time
	closed   bool
}

// ending is a retraining that is in flight no more.
type ending struct {
	id, rule, version string
	kind              monitor.Kind
	failures          int // in a row, before it was accepted
}

// age is what was found of a rule on age or silence. It is the model's, whichever
// version is heard.
type age struct {
	verdict monitor.Verdict
	at      time.Time // when it began, or ended
	acted   time.Time // when it led to a trigger, to a question or to what a dry run holds; zero: not yet
}

func newNaive(policy monitor.Policy) *naive {
	return &naive{policy: policy.WithDefaults(), ages: map[string]*age{}, versions: map[string]*naiveVersion{}, publishers: map[string]*naivePublisher{}}
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

// batch takes a batch of digests unless it was taken before.
func (n *naive) batch(now time.Time, publisher string, number int64, closed bool, digests []*observed) {
	p := n.publishers[publisher]
	if p != nil {
		remembered := 48 * time.Hour
		if p.closed {
			remembered = time.Hour
		}
		if now.Sub(p.lastWord) > remembered {
			p = nil
		}
	}
	if p != nil && number <= p.number {
		n.counters.Duplicates += int64(len(digests))
		return
	}
	if p != nil {
		n.counters.Gaps += number - p.number - 1
	}
	n.publishers[publisher] = &naivePublisher{number, now, closed}
	for _, digest := range digests {
		if digest.events == 0 {
			n.counters.Rejected++
			continue
		}
		n.counters.Digests++
		n.observe(now, digest)
	}
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

// next is the earliest instant, after it last looked, at which time alone changes
// something; zero where there is none.
func (n *naive) next() (next time.Time) {
	consider := func(at time.Time) {
		if at.After(n.looked) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if n.flight != nil {
		consider(n.flight.Deadline)
		consider(n.flight.HeldUntil)
	}
	if n.stopped != nil {
		if n.flight == nil && len(n.cancelling) == 0 && !n.looked.Before(n.noticesUntil()) {
			return time.Time{} // it has ended
		}
		consider(n.noticesUntil())
		return next
	}
	consider(n.cooldownUntil())
	if n.pending != nil {
		consider(n.answeredAt(n.looked))
	}
	if n.verification != nil {
		consider(n.verification.Until)
	}
	for _, v := range n.versions {
		for name, l := range v.ledgers {
			r := n.rule(name)
			if !r.Period.IsZero() {
				if start, comes := n.nextPeriod(r, v, l); comes {
					consider(dueOf(r, start))
				}
			}
			if l.deferred {
				consider(n.blackoutEnd(n.looked))
			}
		}
	}
	for i := range n.policy.Rules {
		if r := &n.policy.Rules[i]; !r.MaxAge.IsZero() || !r.SilentFor.IsZero() {
			consider(n.ageDue(r))
			if v := n.versions[n.latest]; v != nil && n.mayAct(r, n.looked) && n.heldBackBy(n.looked, v, n.looked.Before) == "blackout" {
				consider(n.blackoutEnd(n.looked))
			}
			if a := n.ages[r.Name]; a != nil && a.acted.After(n.cooldownFrom()) { // what it led to never went out
				consider(a.acted.Add(n.cooldown()))
			}
		}
	}
	return next
}

func (n *naive) rule(name string) *monitor.Rule {
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
			if log[i].Kind == d.Kind && log[i].SuppressedBy == d.SuppressedBy && (d.Kind == monitor.Suppressed || log[i].Rule == d.Rule) {
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
	return d.Kind == monitor.Suppressed || d.Kind == monitor.Warned
}

// kindOf says what kind of rule it is, as the table of docs/policies.md has it.
func kindOf(r *monitor.Rule) string {
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
		n.decide(monitor.Decision{At: now, Kind: monitor.Paused, By: by, Reason: reason})
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
	n.decide(monitor.Decision{At: now, Kind: monitor.Resumed, By: by, Reason: reason})
}

func (n *naive) stop(now time.Time, by, reason string) {
	if n.stopped == nil {
		n.stopped, n.pending = &monitor.Control{By: by, Reason: reason, At: now}, nil
		n.decide(monitor.Decision{At: now, Kind: monitor.Stopped, By: by, Reason: reason})
	}
}

// phase is the first that holds.
func (n *naive) phase(now time.Time) monitor.Phase {
	switch {
	case n.stopped != nil:
		return "stopping"
	case n.paused != nil:
		return "paused"
	case n.pending != nil:
		return "awaiting_approval"
	case n.flight != nil:
		return "retraining"
	case now.Before(n.cooldownUntil()):
		return "cooling_down"
	}
	return "watching"
}

// cooldownUntil is the first instant at which a breach triggers again.
func (n *naive) cooldownUntil() time.Time {
	from := n.cooldownFrom()
	if from.IsZero() {
		return from
	}
	return from.Add(n.cooldown())
}

// cooldownFrom is the last trigger, or, in a dry run, the last that was held.
func (n *naive) cooldownFrom() time.Time {
	if n.policy.DryRun && n.lastHeld.After(n.lastTrigger) {
		return n.lastHeld
	}
	return n.lastTrigger
}

func (n *naive) cooldown() time.Duration {
	return time.Duration(n.policy.Cooldown.Or(monitor.Duration(time.Hour)))
}

// blackoutEnd is when the blackout that is on at an instant ends, and all that
// begin before it has; zero where none is.
func (n *naive) blackoutEnd(at time.Time) (end time.Time) {
	for ends := n.blackoutAt(at); !ends.IsZero(); ends = n.blackoutAt(end) {
		end = ends
	}
	return end
}

func (n *naive) isBlackout(at time.Time) bool { return !n.blackoutAt(at).IsZero() }

// blackoutAt is the end of some blackout that is on at an instant. Scripts have
// zones whose clocks never change.
func (n *naive) blackoutAt(at time.Time) (end time.Time) {
	for i := range n.policy.Blackout {
		b := &n.policy.Blackout[i]
		wall := at.In(zones[b.Zone])
		minute := wall.Format("15:04")
		begins := func(day time.Time) bool {
			return b.Days == "" || slices.Contains(strings.Split(b.Days, ","), strings.ToLower(day.Format("Mon")))
		}
		isToday := b.From <= minute && (minute < b.To || b.To < b.From) && begins(wall)
		isSinceYesterday := b.To < b.From && minute < b.To && begins(wall.AddDate(0, 0, -1))
		if !isToday && !isSinceYesterday {
			continue
		}
		var hour, minutes int
		_, _ = fmt.Sscanf(b.To, "%d:%d", &hour, &minutes)
		day := wall.Day()
		if isToday && b.To < b.From {
			day++
		}
		return time.Date(wall.Year(), wall.Month(), day, hour, minutes, 0, 0, wall.Location()).UTC()
	}
	return end
}

// zones are those of scripts.
var zones = map[string]*time.Location{"": time.UTC, "Asia/Kolkata": time.FixedZone("IST", 5*3600+1800)}

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
