// Package explain says of a monitor's status, in words, how far each rule is from
// triggering, and what holds a trigger back.
package explain

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Explained is a status in words.
type Explained struct {
	ModelName string         `json:"model_name"`
	Phase     contract.Phase `json:"phase"`
	Ended     string         `json:"ended,omitempty"`     // how and when
	HeldBack  []string       `json:"held_back,omitempty"` // what keeps every breach from triggering now
	Notes     []string       `json:"notes,omitempty"`
	Next      []monitor.Next `json:"next,omitempty"` // what time alone brings
	// ReportEvery is how old what is said of a healthy model may be; none where the
	// monitor has ended.
	ReportEvery policy.Duration `json:"report_every,omitempty"`
	Versions    []Version       `json:"versions"` // the one heard of last first
}

// Version is what is said of one model version.
type Version struct {
	ModelVersion string    `json:"model_version"`
	LastSeen     time.Time `json:"last_seen"`
	SupersededBy string    `json:"superseded_by,omitempty"`
	Rules        []Rule    `json:"rules"`
}

// Status puts a status into words, as of now. ended says how the monitor has ended;
// empty while it runs.
func Status(s monitor.Status, ended string, now time.Time) Explained {
	e := explainer{s, now}
	x := Explained{ModelName: s.ModelName, Phase: s.Phase, Ended: ended, HeldBack: e.allHeldBack(ended), Notes: e.notes(), Versions: []Version{}}
	if ended == "" {
		x.Next = s.Next
		x.ReportEvery = policy.Duration(s.Policy.ReportInterval())
	}
	names := slices.SortedFunc(maps.Keys(s.Versions), func(a, b string) int {
		return cmp.Or(s.Versions[b].LastSeen.Compare(s.Versions[a].LastSeen), cmp.Compare(a, b))
	})
	for _, name := range names {
		version := s.Versions[name]
		if len(version.Rules) == 0 {
			continue // not tracked any more
		}

		v := Version{ModelVersion: name, LastSeen: version.LastSeen, SupersededBy: version.SupersededBy}
		for _, status := range version.Rules {
			i := slices.IndexFunc(s.Policy.Rules, func(r policy.Rule) bool { return r.Name == status.Name })
			if i >= 0 {
				v.Rules = append(v.Rules, e.rule(&s.Policy.Rules[i], status, version))
			}
		}

		x.Versions = append(x.Versions, v)
	}

	return x
}

// allHeldBack says what keeps every breach from triggering now, in the order in
// which the machine names it.
func (e *explainer) allHeldBack(ended string) (reasons []string) {
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	s := e.status
	switch {
	case ended != "":
		say("the monitor has ended")
		return reasons
	case s.Phase == contract.PhaseStopping:
		say("the monitor is stopping")
	}

	if p := s.Paused; p != nil {
		say("paused since %s%s; `modelvigil resume` ends that", e.at(p.At), plain.WhoAndWhy(p.By, p.Reason))
	}
	if left := s.CooldownUntil.Sub(e.now); left > 0 {
		say("cooldown until %s, for another %s", e.at(s.CooldownUntil), HowLong(left))
	}
	if f := s.Current; f != nil {
		say("a retraining is in flight since %s%s; it times out on %s", e.at(f.TriggeredAt), plain.WhoAndWhy(f.By, f.Reason), e.at(f.Deadline))
	}
	if p := s.Pending; p != nil {
		say("a trigger waits for approval since %s, until %s%s", e.at(p.Since), e.at(p.Until), plain.WhoAndWhy(p.By, p.Reason))
	}
	if !s.BlackoutUntil.IsZero() && s.BlackoutUntil.After(e.now) {
		say("blackout until %s; what still breaches then triggers", e.at(s.BlackoutUntil))
	}
	if b := s.Budget; b != nil && b.Until.After(e.now) {
		say("the budget of %s is used up until %s, for another %s", b, e.at(b.Until), HowLong(b.Until.Sub(e.now)))
	}
	if s.Policy.DryRun {
		say("the policy is a dry run: a trigger is recorded as held, and asks for nothing")
	}
	return reasons
}

// notes says what else bears on the next retraining.
func (e *explainer) notes() (notes []string) {
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	s := e.status
	if a := s.Policy.Approval; a != nil && a.Required && s.Pending == nil {
		say("a trigger will wait for approval, for %s at most", a.Timeout.Or(policy.Duration(policy.DefaultApprovalTimeout)))
	}
	if v := s.Verification; v != nil {
		text := fmt.Sprintf("version %s is verified since %s, %s so far", plain.Text(v.Version), e.at(v.Since), plain.Count(v.Samples, "event"))
		if !v.Until.IsZero() {
			text += ", until " + e.at(v.Until)
		}
		if v.Broken != "" {
			text += "; it broke " + plain.Text(v.Broken) + ": " + plain.Text(v.Reason)
		}
		notes = append(notes, text)
	}
	if c := s.Policy.Certificate; c != nil {
		say("certified: %s", c)
	}
	if b := s.Budget; b != nil && b.Until.IsZero() {
		say("%d of the budget of %s used", b.Used, b)
	}
	if s.Failures > 0 && s.Policy.MaxFailures > 0 && s.Paused == nil {
		say("%d of %d failures in a row after which the monitor pauses itself", s.Failures, s.Policy.MaxFailures)
	}

	return notes
}

// Print shows it to people.
func (x Explained) Print(w io.Writer) error {
	var b strings.Builder
	line := func(indent int, text string) { _, _ = fmt.Fprintf(&b, "%*s%s\n", indent, "", text) }
	line(0, plain.Text(x.ModelName)+": "+cmp.Or(x.Ended, plain.Words(x.Phase)))

	for _, reason := range x.HeldBack {
		line(0, "held back now: "+reason)
	}
	for _, note := range x.Notes {
		line(0, note)
	}
	for _, next := range x.Next {
		line(0, "next, "+plain.Time(next.At)+": "+plain.Text(next.What))
	}
	if len(x.Versions) == 0 {
		line(0, "no event has come yet, so no rule says anything")
	}

	for _, v := range x.Versions {
		head := fmt.Sprintf("VERSION %s, last seen %s", plain.Text(cmp.Or(v.ModelVersion, "(none)")), plain.Time(v.LastSeen))
		if v.SupersededBy != "" {
			head += ", superseded by " + plain.Text(v.SupersededBy)
		} else if x.ReportEvery > 0 {
			head += fmt.Sprintf(", reported every %v while it is healthy", x.ReportEvery)
		}
		b.WriteString("\n" + head + "\n")

		for _, r := range v.Rules {
			line(2, fmt.Sprintf("%s  %s: %s", plain.Text(r.Name), plain.Text(r.Rule), verdictWord(r.Verdict)))
			if len(r.Says) > 0 {
				line(6, strings.Join(r.Says, "; "))
			}
			for _, row := range append(r.Moved, r.Chart...) {
				line(6, row)
			}
			held := r.HeldBack
			if r.Verdict == monitor.Breaching && len(held) == 0 {
				held = x.HeldBack
			}
			if len(held) > 0 {
				line(6, "held back: "+strings.Join(held, "; "))
			}
		}
	}

	_, err := io.WriteString(w, b.String())
	return err
}

// HowLong is a duration as people say it, to the second.
func HowLong(d time.Duration) string {
	return policy.Duration(max(0, d).Round(time.Second)).String()
}
