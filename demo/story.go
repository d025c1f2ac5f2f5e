package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/contrast"
	"github.com/modelvigil/modelvigil/monitor/verdict"
	"github.com/modelvigil/modelvigil/policy"
)

// story is what happened: every window, what the rules said, and every decision of
// the monitor.
type story struct {
	windows   []Window
	alarms    []alarm
	decisions []monitor.Decision
}

// alarm is a rule that was found breaching.
type alarm struct {
	rule  string
	at    time.Time        // of what it was judged by
	heard time.Time        // when the monitor was asked, and had judged it
	moved []contrast.Moved // the inputs beyond their bounds, of the rule on them
}

// hear adds what a status tells, that was asked for now.
func (s *story) hear(status *monitor.Status, now time.Time) {
	s.decisions = merge(s.decisions, status.Decisions)
	for _, version := range status.Versions {
		for _, rule := range version.Rules {
			isKnown := slices.ContainsFunc(s.alarms, func(a alarm) bool { return a.rule == rule.Name && a.at.Equal(rule.At) })
			if rule.Verdict != verdict.Breaching || isKnown {
				continue
			}
			moved := slices.DeleteFunc(slices.Clone(rule.Drift), func(m contrast.Moved) bool { return m.Value <= m.Threshold })
			s.alarms = append(s.alarms, alarm{rule.Name, rule.At, now, moved})
		}
	}
}

// first is the first alarm of a rule at a time or after, before another.
func (s *story) first(rule string, from, to time.Time) (first alarm) {
	for _, a := range s.alarms {
		isThen := a.rule == rule && !a.at.Before(from) && a.at.Before(to)
		if isThen && (first.at.IsZero() || a.at.Before(first.at)) {
			first = a
		}
	}
	return first
}

// after is how long after an instant the alarm was heard; 0 where there was none.
func (a *alarm) after(at time.Time) time.Duration {
	if a.heard.IsZero() {
		return 0
	}
	return a.heard.Sub(at)
}

// merge adds what is new in a status's decisions: all that comes after the last
// notable one that is known. What was suppressed since then is counted anew.
func merge(known, latest []monitor.Decision) []monitor.Decision {
	for len(known) > 0 && !known[len(known)-1].IsNotable() {
		known = known[:len(known)-1]
	}
	if len(known) == 0 {
		return slices.Clone(latest)
	}

	last := known[len(known)-1]
	at := slices.IndexFunc(latest, func(d monitor.Decision) bool {
		return d.At.Equal(last.At) && d.Kind == last.Kind && d.RequestID == last.RequestID
	})
	return append(known, latest[at+1:]...)
}

// entry is a decision as people read it, or a streak of breaches that were suppressed
// for one reason between two others.
type entry struct {
	monitor.Decision
	isOver bool // a decision of another kind has followed
}

// entries are the decisions as people read them.
func entries(decisions []monitor.Decision) (all []entry) {
	since := 0 // the first entry after the last notable decision
	for _, d := range decisions {
		if d.IsNotable() {
			for i := since; i < len(all); i++ {
				all[i].isOver = true
			}
			all = append(all, entry{d, true})
			since = len(all)
			continue
		}

		d.Count = max(1, d.Count)
		at := slices.IndexFunc(all[since:], func(e entry) bool { return e.SuppressedBy == d.SuppressedBy })
		if at < 0 {
			all = append(all, entry{d, false})
			continue
		}
		streak := &all[since+at]
		streak.At = d.At
		streak.Count += d.Count
	}
	return all
}

// episode is one change of the concept and what became of it.
type episode struct {
	at                    time.Time // in the middle of the window it fell into
	before, during, after float64   // accuracy: mean of the windows before, the worst, mean of the healed ones
	static                float64   // the first model's, over the windows of the healed ones
	version               string    // that healed it; empty if none did
	recovered             time.Duration
	byInputs, byAccuracy  time.Duration // until the rule breached; 0 if it did not
	moved                 []contrast.Moved
	triggers              int
}

// episodes finds each change of the concept. A drift is recovered from at the first
// window of a new version that is above the threshold.
func (s *story) episodes() []episode {
	var all []episode
	for i := 1; i < len(s.windows); i++ {
		if s.windows[i].Concept == s.windows[i-1].Concept {
			continue
		}
		end := i + 1
		for end < len(s.windows) && s.windows[end].Concept == s.windows[i].Concept {
			end++
		}
		all = append(all, s.episode(i, end))
	}

	return all
}

// episode tells of the windows from first to end, in which a new concept reigned.
func (s *story) episode(first, end int) episode {
	windows, old := s.windows[first:end], s.windows[first-1]
	e := episode{at: windows[0].At.Add(-windowEvery / 2), during: 1}
	const look = 10 // windows before
	for _, w := range s.windows[max(0, first-look):first] {
		e.before += w.Accuracy / float64(min(look, first))
	}
	healed := 0
	for _, w := range windows {
		if e.version == "" && w.Version != old.Version && w.Accuracy >= minAccuracy {
			e.version = w.Version
			e.recovered = w.At.Sub(e.at)
		}
		if e.version == "" {
			e.during = min(e.during, w.Accuracy)
			continue
		}

		healed++
		e.after += w.Accuracy
		e.static += w.Static
	}

	if healed > 0 {
		e.after /= float64(healed)
		e.static /= float64(healed)
	}
	e.notice(s, windows[len(windows)-1].At)
	return e
}

// notice tells which rules breached until the concept's end, and what that led to.
func (e *episode) notice(s *story, end time.Time) {
	onAccuracy := s.first(accuracyRule, e.at, end)
	e.byAccuracy = onAccuracy.after(e.at)
	onInputs := s.first(inputsRule, e.at, end)
	e.byInputs = onInputs.after(e.at)
	e.moved = onInputs.moved
	for _, d := range s.decisions {
		if d.Kind != policy.Triggered || d.At.Before(e.at) || !d.At.Before(end) {
			continue
		}
		e.triggers++
		switch d.Rule { // known to the millisecond, and not only by when the monitor was asked
		case accuracyRule:
			e.byAccuracy = d.At.Sub(e.at)
		case inputsRule:
			e.byInputs = d.At.Sub(e.at)
		}
	}
}

// verdict says what went otherwise than it should.
func (s *story) verdict() error {
	episodes := s.episodes()
	if len(episodes) != 3 {
		return fmt.Errorf("the demo should have seen three drifts, and saw %d", len(episodes))
	}

	for i, e := range episodes {
		switch {
		case e.triggers == 0:
			return fmt.Errorf("drift %d was not caught", i+1)
		case e.version == "":
			return fmt.Errorf("drift %d was caught, but not healed", i+1)
		case e.triggers > 1:
			return fmt.Errorf("drift %d led to %d retrainings instead of one", i+1, e.triggers)
		}
	}

	return nil
}
