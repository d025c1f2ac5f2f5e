package workflows

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

// maxSummaryBytes is what the server takes for the summary of a timer or an
// activity, encoded as JSON (limit.userMetadataSummarySize, 400).
const maxSummaryBytes = 400

// summary cuts text to what the server takes.
func summary(text string) string {
	for {
		encoded, err := json.Marshal(text)
		if err == nil && len(encoded) <= maxSummaryBytes {
			return text
		}
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
}

// describe puts the monitor's state where the Temporal UI shows it. It costs no
// history.
func (m *watch) describe(ctx workflow.Context) {
	status := m.machine.Status(workflow.Now(ctx))
	workflow.SetCurrentDetails(ctx, details(status))
	m.measures.listeners.described(ctx, status)
}

// details is a status as Markdown.
func details(s monitor.Status) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("### %s: %s\n", escape(s.ModelName), strings.ReplaceAll(string(s.Phase), "_", " "))
	if s.Paused != nil {
		line("Paused since %s by %s: %s\n", clock(s.Paused.At), escape(orUnknown(s.Paused.By)), escape(s.Paused.Reason))
	}
	if p := s.Pending; p != nil {
		line("Waits for approval since %s, until %s: %s\n", clock(p.Since), clock(p.Until), escape(p.Reason))
	}
	if s.Current != nil {
		line("Retraining in flight since %s: %s (`%s`)\n", clock(s.Current.TriggeredAt), escape(s.Current.Reason), s.Current.RequestID)
	}
	if s.Phase == monitor.PhaseCoolingDown {
		line("Cooldown until %s\n", clock(s.CooldownUntil))
	}
	if !s.BlackoutUntil.IsZero() {
		line("Blackout until %s\n", clock(s.BlackoutUntil))
	}
	if v := s.Verification; v != nil {
		line("Verifying %s since %s, %d events so far\n", escape(v.Version), clock(v.Since), v.Samples)
	}
	text.WriteString(rulesTable(s))
	if n := len(s.Decisions); n > 0 {
		line("| when | decision | why |\n|---|---|---|")
		for i := n - 1; i >= max(0, n-5); i-- {
			d := s.Decisions[i]
			line("| %s | %s%s | %s |", clock(d.At), d.Kind, suppressedBy(d), escape(d.Reason))
		}
		line("")
	}
	line("| events | breaches | suppressed | retrainings | succeeded | failed | rejected |\n|---|---|---|---|---|---|---|")
	suppressed := int64(0)
	for _, n := range s.Suppressed {
		suppressed += n
	}
	line("| %d | %d | %d | %d | %d | %d | %d |\n", s.Events, s.Breaches, suppressed,
		s.Retrainings.Requested, s.Retrainings.Succeeded, s.Retrainings.Failed, s.Rejected)
	if n := len(s.Rejections); n > 0 {
		line("Last rejection, %s, of a %s: %s\n", clock(s.Rejections[n-1].At), escape(s.Rejections[n-1].Source), escape(s.Rejections[n-1].Reason))
	}
	policy, err := json.MarshalIndent(s.Policy, "", "  ")
	if err == nil {
		line("```json\n%s\n```", policy)
	}
	return text.String()
}

// rulesTable is what the rules say of the version heard of last.
func rulesTable(s monitor.Status) string {
	latest, rules := s.LatestRules()
	if rules == nil {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "| rule, of version %s | says | value | threshold |\n|---|---|---|---|\n", escape(latest))
	for _, r := range rules {
		says := string(r.Verdict)
		if r.Verdict == monitor.Unknown {
			says = "unknown"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", escape(r.Name), says, number(r.Value), number(r.Threshold))
	}
	return text.String() + "\n"
}

func number(r monitor.Reading) string {
	value, ok := r.Get()
	if !ok {
		return ""
	}
	return strconv.FormatFloat(value, 'g', 6, 64)
}

func suppressedBy(d monitor.Decision) string {
	if d.Kind == monitor.Warned && d.Count > 1 {
		return fmt.Sprintf(", %d×", d.Count)
	}
	if d.Kind != monitor.Suppressed {
		return ""
	}
	return fmt.Sprintf(" by %s, %d×", strings.ReplaceAll(string(d.SuppressedBy), "_", " "), d.Count)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func orUnknown(by string) string {
	if by == "" {
		return "unknown"
	}
	return by
}

// escape keeps text on its line and out of Markdown's way.
func escape(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\\", "\\\\", "|", "\\|", "`", "'", "*", "\\*", "_", "\\_",
		"[", "\\[", "<", "&lt;").Replace(text)
}
