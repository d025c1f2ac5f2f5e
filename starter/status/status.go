// Package status shows the status of a monitor to people.
package status

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/near"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/explain"
)

// shownDecisions is how many of the last decisions the text shows; -o json has all.
const shownDecisions = 10

// Aside is what the server knows of a monitor, and the monitor itself does not say.
type Aside struct {
	// Ended says how the monitor has ended; empty while it runs.
	Ended string
	// Word is what the backend of the retraining in flight has said last; empty where
	// it has said nothing that is wrong or unusual.
	Word string
}

// Print shows a status as of now.
func Print(w io.Writer, s monitor.Status, aside Aside, now time.Time) error {
	ended := aside.Ended
	parts := []string{
		headLines(s, aside, now), nextLines(s.Next, ended), policyLines(s.Policy), unjudgedLines(&s), countLines(s), versionLines(s.Versions),
		driftLines(&s), decisionLines(s.Decisions), rejectionLines(s.Rejections),
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

func headLines(s monitor.Status, aside Aside, now time.Time) string {
	head := plain.Text(s.ModelName) + ": "
	if aside.Ended != "" {
		head += aside.Ended
	} else {
		head += plain.Words(s.Phase)
		if left := s.CooldownUntil.Sub(now); left > 0 {
			head += fmt.Sprintf(", cooldown for another %s until %s", explain.HowLong(left), plain.Time(s.CooldownUntil))
		}
	}

	head += "\n"
	if s.ModelVersion != "" {
		head += "live version " + plain.Text(s.ModelVersion) + "\n"
	}
	if f := s.LastFailure; f != nil {
		head += fmt.Sprintf("last failure on %s: %s\n", plain.Time(f.At), plain.Text(cmp.Or(f.Reason, plain.Words(f.Kind))))
	}

	if s.Paused != nil {
		head += "paused on " + plain.Time(s.Paused.At) + plain.WhoAndWhy(s.Paused.By, s.Paused.Reason) + "\n"
	}
	if p := s.Pending; p != nil {
		head += fmt.Sprintf("waits for approval for %s%s\n  modelvigil approve or reject it until %s\n",
			explain.HowLong(now.Sub(p.Since)), plain.WhoAndWhy(p.By, p.Reason), plain.Time(p.Until))
	}
	if !s.BlackoutUntil.IsZero() && s.BlackoutUntil.After(now) {
		head += "blackout until " + plain.Time(s.BlackoutUntil) + "\n"
	}

	if b := s.Budget; b != nil {
		head += fmt.Sprintf("%d used of the budget of %s", b.Used, b)
		if b.Until.After(now) {
			head += ", none left until " + plain.Time(b.Until)
		}
		head += "\n"
	}
	if v := s.Verification; v != nil {
		head += fmt.Sprintf("verifying version %s, %s so far\n", plain.Text(v.Version), plain.Count(v.Samples, "event"))
	}
	if f := s.Current; f != nil {
		job := "not taken yet by " + backend(f.Backend)
		if f.Job != nil {
			job = "taken by " + plain.Text(f.Job.Backend)
			if f.Job.ID != "" {
				job += " as job " + plain.Text(f.Job.ID)
			}
		}

		head += fmt.Sprintf("retraining in flight for %s%s\n  %s, %s, times out on %s\n",
			explain.HowLong(now.Sub(f.TriggeredAt)), plain.WhoAndWhy(f.By, f.Reason), plain.Text(f.RequestID), job, plain.Time(f.Deadline))
		if aside.Word != "" {
			head += "  its latest word: " + plain.Text(aside.Word) + "\n"
		}
	}

	return head
}

// nextLines shows what time alone brings.
func nextLines(coming []monitor.Next, ended string) string {
	if len(coming) == 0 || ended != "" {
		return ""
	}
	rows := [][]string{{"NEXT", ""}}
	for _, next := range coming {
		rows = append(rows, []string{plain.Time(next.At), plain.Text(next.What)})
	}
	return plain.Table(rows)
}

func policyLines(policy policy.Policy) string {
	policy = policy.WithDefaults()
	rows := make([][]string, 0, len(policy.Rules))
	for _, rule := range policy.Rules {
		row := []string{"  " + plain.Text(rule.String()), ""}
		if rule.Name != rule.Metric {
			row[1] = "rule " + plain.Text(rule.Name)
		}
		rows = append(rows, row)
	}

	how := fmt.Sprintf("  by %s, cooldown %s, timeout %s", backend(policy.Retraining.Backend), policy.Cooldown.Or(0), policy.Retraining.Timeout.Or(0))
	if policy.Budget != nil {
		how += ", at most " + policy.Budget.String()
	}
	if policy.Certificate != nil {
		how += ";\n  certified: " + policy.Certificate.String()
	}
	if policy.Approval != nil && policy.Approval.Required {
		how += ", once approved"
	}
	if policy.DryRun {
		how += ", in a dry run: nothing is asked for"
	}
	how += "\n  reported every " + explain.HowLong(policy.ReportInterval()) + " by each publisher, while it is healthy"
	return "RETRAINED WHEN\n" + plain.Table(rows) + how + "\n"
}

// unjudgedLines warn of rules that can't judge anything, since nothing measures what
// they are about. Few models measure all that the default rules are about, so of those
// only what seems to have another name is worth a word.
func unjudgedLines(s *monitor.Status) (text string) {
	defaults := policy.Policy{}.WithDefaults().Rules
	for i := range s.Policy.Rules {
		rule := &s.Policy.Rules[i]
		isDefault := slices.ContainsFunc(defaults, func(d policy.Rule) bool { return d.String() == rule.String() })
		if isDefault && len(near.Names(rule.Metric, s.Measured())) == 0 {
			continue
		}
		if unmeasured := explain.Unmeasured(s, rule); unmeasured != "" {
			text += fmt.Sprintf("warning: rule %q has judged nothing: %s\n", plain.Text(rule.Name), unmeasured)
		}
	}

	return text
}

func backend(name string) string { return plain.Text(cmp.Or(name, "the worker's default backend")) }

func countLines(s monitor.Status) string {
	var suppressed int64
	var reasons []string
	for _, by := range slices.Sorted(maps.Keys(s.Suppressed)) {
		suppressed += s.Suppressed[by]
		reasons = append(reasons, nonZero(s.Suppressed[by], plain.Words(by)))
	}

	r := s.Retrainings
	return plain.Table([][]string{
		countRow("events", s.Events, nonZero(s.Duplicates, "digests redelivered and dropped"), nonZero(s.Gaps, "batches missing")),
		countRow("breaches", s.Breaches),
		countRow("suppressed", suppressed, reasons...),
		countRow("retrainings", r.Requested, nonZero(r.Accepted, "accepted"), nonZero(r.Succeeded, "succeeded"),
			nonZero(r.Failed, "failed"), nonZero(r.Cancelled, "cancelled")),
		countRow("rejected", s.Rejected, nonZero(s.Overflow, "more metrics or versions than are kept")),
	})
}

func countRow(what string, n int64, details ...string) []string {
	details = slices.DeleteFunc(details, func(detail string) bool { return detail == "" })
	return []string{what, strconv.FormatInt(n, 10), strings.Join(details, ", ")}
}

// nonZero is a count with what it counts, or nothing.
func nonZero(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", n, what)
}

// versionLines shows the version seen last first.
func versionLines(versions map[string]monitor.VersionStatus) string {
	if len(versions) == 0 {
		return ""
	}

	names := slices.SortedFunc(maps.Keys(versions), func(a, b string) int {
		return cmp.Or(versions[b].LastSeen.Compare(versions[a].LastSeen), cmp.Compare(a, b))
	})
	rows := [][]string{{"VERSION", "LAST SEEN", "METRIC", "COUNT", "MIN", "MEAN", "MAX"}}
	for _, name := range names {
		lead := []string{plain.Text(cmp.Or(name, "(none)")), plain.Time(versions[name].LastSeen)}
		for _, metric := range slices.Sorted(maps.Keys(versions[name].Metrics)) {
			m := versions[name].Metrics[metric]
			rows = append(rows, append(lead, plain.Text(metric), strconv.FormatInt(m.Count, 10), plain.Number(m.Min), plain.Number(m.Mean), plain.Number(m.Max)))
			lead = []string{"", ""}
		}

		if len(versions[name].Metrics) == 0 {
			rows = append(rows, lead)
		}
	}

	return plain.Table(rows)
}

// decisionLines shows the latest first.
func decisionLines(decisions []monitor.Decision) string {
	if len(decisions) == 0 {
		return ""
	}

	rows := [][]string{{"DECIDED ON", "WHAT", "VERSION", "WHY"}}
	for i, d := range slices.Backward(decisions) {
		if len(decisions)-i > shownDecisions {
			rows = append(rows, []string{fmt.Sprintf("and %d earlier; see -o json", i+1)})
			break
		}

		what := plain.Words(d.Kind)
		if d.Kind == policy.Suppressed {
			what = fmt.Sprintf("suppressed, %s, %d×", plain.Words(d.SuppressedBy), d.Count)
		}
		why := strings.TrimPrefix(strings.TrimPrefix(plain.WhoAndWhy(d.By, d.Reason), " "), ": ")
		rows = append(rows, []string{plain.Time(d.At), what, plain.Text(d.ModelVersion), why})
	}

	return plain.Table(rows)
}

func rejectionLines(rejections []monitor.Rejection) string {
	if len(rejections) == 0 {
		return ""
	}

	rows := [][]string{{"REJECTED ON", "SIGNAL", "WHY"}}
	for _, r := range slices.Backward(rejections) {
		rows = append(rows, []string{plain.Time(r.At), plain.Text(r.Source), plain.Text(strings.ReplaceAll(r.Reason, "\n", "; "))})
		if r.Payload != "" {
			rows = append(rows, []string{"", "", plain.Text(r.Payload)})
		}
	}
	return plain.Table(rows)
}
