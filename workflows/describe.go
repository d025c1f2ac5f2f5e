package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/markdown"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// maxSummaryBytes is what the server takes for the summary of a timer or an
// activity, encoded as JSON (limit.userMetadataSummarySize, 400).
const maxSummaryBytes = 400

// summary cuts text to what the server takes.
func summary(text string) string {
	text = markdown.Escape(text)
	for {
		encoded, err := json.Marshal(text)
		if err == nil && len(encoded) <= maxSummaryBytes {
			return text
		}
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
}

// describeAfter is how old the page of a monitor gets on which nothing has happened but
// healthy events: their number and their readings are as of then.
const describeAfter = 10 * time.Minute

// described is what the page goes by that is worth reading anew.
type described struct {
	at       time.Time
	wake     time.Time // what time alone brings next: it moves when something was judged
	glance   monitor.Glance
	counters monitor.Counters // without those of healthy events
}

// describe puts the monitor's state where the Temporal UI shows it. It costs no
// history, but time in each task and each replay of it: the page is made when there is
// something to read on it, and the policy put into words once.
func (m *monitorRun) describe(ctx workflow.Context) {
	now := workflow.Now(ctx)
	isNews := m.isNews(now)
	if !isNews && len(m.measures.listeners) == 0 {
		return
	}

	status := m.machine.Overview(now)
	m.measures.listeners.described(ctx, status)
	if !isNews {
		return
	}

	if m.policy == "" {
		m.policy = inWords(status.Policy)
	}
	workflow.SetCurrentDetails(ctx, details(status, m.policy))
}

// isNews says that the page is to be made anew, and takes it for made.
func (m *monitorRun) isNews(now time.Time) bool {
	counters := m.machine.Counters()
	counters.Events = 0
	counters.Digests = 0
	counters.Signals = 0
	wake, _ := m.machine.NextWake()
	next := described{at: m.described.at, wake: wake, glance: m.machine.Glance(now), counters: counters}
	if m.policy != "" && now.Sub(m.described.at) < describeAfter && reflect.DeepEqual(next, m.described) {
		return false
	}

	next.at = now
	next.counters.Suppressed = maps.Clone(counters.Suppressed)
	m.described = next
	return true
}

// shownDecisions is how many of the last decisions the page has.
const shownDecisions = 10

// page is Markdown in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { _, _ = fmt.Fprintf(p, format+"\n", args...) }

// row is a line of a table. The UI sets columns close, and trims cells: a wide
// space that an invisible one ends is between them.
func (p *page) row(cells ...string) { p.line("| %s |", strings.Join(cells, "\u2003\u200b | ")) }

// table is the head of one.
func (p *page) table(title string, columns ...string) {
	p.line("\n#### %s\n", title)
	p.row(columns...)
	p.line("|%s", strings.Repeat(":---|", len(columns)))
}

// details is a status as a page: what the monitor does, why, since when, and what
// comes next; then what it goes by.
func details(s monitor.Status, policy string) string {
	var p page
	p.line("### %s: %s\n", markdown.Escape(s.ModelName), strings.ReplaceAll(string(s.Phase), "_", " "))
	p.why(s)
	for i, next := range s.Next {
		p.line("- %s %s: %s", [2]string{"**Next**", "**Then**"}[min(i, 1)], clock(next.At), markdown.Escape(next.What))
	}
	p.rules(s)
	p.drift(s)
	p.decisions(s.Decisions)
	p.counts(s)
	_, _ = p.WriteString(policy)
	return p.String()
}

// inWords is a policy as the end of a page.
func inWords(policy policy.Policy) string {
	encoded, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		return "\n" // a policy that is in force can be encoded
	}
	return fmt.Sprintf("\n#### Policy\n\n```json\n%s\n```\n", encoded)
}

// why says what the phase comes from, and what an operator can do about it.
func (p *page) why(s monitor.Status) {
	if c := s.Paused; c != nil {
		p.line("- **Paused** since %s by %s: %s\n- `modelvigil resume` lets it trigger again", clock(c.At), markdown.Escape(orUnknown(c.By)), markdown.Escape(c.Reason))
	}
	if q := s.Pending; q != nil {
		p.line("- **Waits for approval** since %s%s: %s\n- `modelvigil approve` or `reject` answers", clock(q.Since), of(q.ModelVersion), markdown.Escape(q.Reason))
	}
	if f := s.Current; f != nil {
		p.line("- **Retraining** since %s%s: %s\n- %s, as %s; what the backend has said last stands in the tab *Pending Activities*", clock(f.TriggeredAt), of(f.ModelVersion), markdown.Escape(f.Reason), taken(f), markdown.Code(f.RequestID))
	}
	if f := s.LastFailure; f != nil {
		p.line("- **Last failure** %s%s", clock(f.At), because(f.Reason))
	}

	if s.Phase == contract.PhaseCoolingDown || s.Phase == contract.PhaseWatching {
		p.last(s.Decisions)
	}
	if !s.BlackoutUntil.IsZero() {
		p.line("- **Blackout** until %s", clock(s.BlackoutUntil))
	}
	if c := s.Policy.Certificate; c != nil {
		p.line("- **Certified** %s", markdown.Escape(c.String()))
	}

	if b := s.Budget; b != nil {
		until := ""
		if !b.Until.IsZero() {
			until = ", none left until " + clock(b.Until)
		}
		p.line("- **Budget** %d used of %s%s", b.Used, b, until)
	}
	if v := s.Verification; v != nil {
		p.line("- **Verifying** version %s since %s, %d events so far", markdown.Escape(v.Version), clock(v.Since), v.Samples)
	}
}

// taken says how far a retraining is.
func taken(f *monitor.Flight) string {
	switch {
	case !f.FrozenUntil.IsZero():
		return "held by a freeze of the fleet"
	case f.Job == nil:
		return "asked for, and not taken by a backend yet"
	case f.Job.ID != "":
		return fmt.Sprintf("taken by %s as job %s", markdown.Escape(f.Job.Backend), markdown.Escape(f.Job.ID))
	}
	return "taken by " + markdown.Escape(f.Job.Backend)
}

// last says what the last trigger was for, and what became of it.
func (p *page) last(decisions []monitor.Decision) {
	for i := len(decisions) - 1; i >= 0; i-- {
		d := decisions[i]
		if d.Kind != policy.Triggered {
			continue
		}

		p.line("- **Last triggered** %s%s: %s", clock(d.At), of(d.ModelVersion), markdown.Escape(d.Reason))
		for _, later := range decisions[i+1:] {
			if later.RequestID == d.RequestID && later.IsNotable() {
				word := strings.ReplaceAll(string(later.Kind), "_", " ")
				p.line("- **%s%s** %s%s", strings.ToUpper(word[:1]), word[1:], clock(later.At), because(later.Reason))
			}
		}

		return
	}
}

// rules are what the rules say of the version heard of last.
func (p *page) rules(s monitor.Status) {
	latest, rules := s.LatestRules()
	if rules == nil {
		return
	}

	p.table("Rules"+of(latest), "rule", "says", "value", "threshold", "as of (UTC)")
	for _, r := range rules {
		says := string(r.Verdict)
		switch r.Verdict {
		case monitor.Unknown:
			says = "unknown"
		case monitor.Breaching:
			says = "**breaching**"
		}

		at := ""
		if !r.At.IsZero() {
			at = short(r.At)
		}
		p.row(markdown.Escape(r.Name), says, number(r.Value), number(r.Threshold), at)
	}
}

// drift is what the drift rules found of the version heard of last: of each the three
// metrics furthest beyond their bounds, or nearest to them.
func (p *page) drift(s monitor.Status) {
	latest, rules := s.LatestRules()
	isBegun := false
	for _, r := range rules {
		for _, m := range r.Drift {
			if !isBegun {
				p.table("Drift"+of(latest), "rule", "metric", "found", "bound", "readings", "against", "moved most")
				isBegun = true
			}
			bins := ""
			if len(m.Bins) > 0 {
				bins = m.Bins[0]
			}
			p.row(markdown.Escape(r.Name), markdown.Escape(m.Name), plain.Number(m.Value), plain.Number(m.Threshold),
				plain.Thousands(m.Readings), plain.Thousands(m.Reference), markdown.Escape(bins))
		}
		if more := r.Judged - len(r.Drift); isBegun && more > 0 {
			p.row(markdown.Escape(r.Name), fmt.Sprintf("%d more", more), "", "", "", "", "")
		}
	}
}

// decisions are the last ones, the latest first.
func (p *page) decisions(all []monitor.Decision) {
	if len(all) == 0 {
		return
	}

	p.table("Decisions", "when (UTC)", "what", "version", "why")
	claimed := false
	for i := len(all) - 1; i >= max(0, len(all)-shownDecisions); i-- {
		d := all[i]
		why := markdown.Escape(d.Reason)
		claimed = claimed || d.By != ""
		if d.By != "" {
			why = strings.TrimSuffix("by "+markdown.Escape(d.By)+": "+why, ": ")
		}
		p.row(short(d.At), strings.ReplaceAll(string(d.Kind), "_", " ")+suppressedBy(d), markdown.Escape(d.ModelVersion), why)
	}

	if claimed {
		p.line("\nWho decided is what they said of themselves.")
	}
}

func (p *page) counts(s monitor.Status) {
	suppressed := int64(0)
	for _, n := range s.Suppressed {
		suppressed += n
	}
	r := s.Retrainings
	p.line("\n#### Counts\n\n- %d events, %d breaches, %d suppressed, %d rejected", s.Events, s.Breaches, suppressed, s.Rejected)
	p.line("- %d retrainings: %d accepted, %d succeeded, %d failed, %d cancelled", r.Requested, r.Accepted, r.Succeeded, r.Failed, r.Cancelled)
	if n := len(s.Rejections); n > 0 {
		last := s.Rejections[n-1]
		p.line("- last rejection, %s, of a %s: %s", clock(last.At), markdown.Escape(last.Source), markdown.Escape(last.Reason))
	}
	if s.Notices.Failed > 0 {
		p.line("- %d notices were not delivered, the last one: %s", s.Notices.Failed, markdown.Escape(s.Notices.LastFailure))
	}
}

// of names a version, where there is one.
func of(version string) string {
	if version == "" {
		return ""
	}
	return " of version " + markdown.Escape(version)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + markdown.Escape(reason)
}

func number(r metric.Reading) string {
	value, ok := r.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(value, 'g', 6, 64)
}

func suppressedBy(d monitor.Decision) string {
	if d.Kind == policy.Warned && d.Count > 1 {
		return fmt.Sprintf(", %d×", d.Count)
	}
	if d.Kind != policy.Suppressed {
		return ""
	}
	return fmt.Sprintf(" by %s, %d×", strings.ReplaceAll(string(d.SuppressedBy), "_", " "), d.Count)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// short is an instant of these months, in one piece.
func short(t time.Time) string { return t.UTC().Format("01-02\u00a015:04:05") }

func orUnknown(by string) string {
	if by == "" {
		return "somebody who gave no name"
	}
	return by
}
