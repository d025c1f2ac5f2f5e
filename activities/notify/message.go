package notify

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// message is a notice for people to read.
type message struct {
	title string   // one line: which model, and what
	lines []string // why, by whom, since when, what to do
}

// text is the message below its title.
func (m *message) text() string { return strings.Join(m.lines, "\n") }

// phrases say what has happened to a model, after its name and version.
var phrases = map[policy.Kind]string{
	policy.Triggered:        "is to be retrained",
	policy.Accepted:         "is being retrained, which can't be followed",
	policy.Succeeded:        "has been retrained",
	policy.Failed:           "could not be retrained",
	policy.TimedOut:         "was not retrained in time",
	policy.Cancelled:        "is not retrained: it was cancelled",
	policy.CancelFailed:     "may still be retrained: the backend could not be told to end it",
	policy.Warned:           "gives a warning",
	policy.Held:             "would be retrained, but is held",
	policy.AwaitingApproval: "waits for approval to be retrained",
	policy.Approved:         "is approved to be retrained",
	policy.ApprovalRejected: "is not retrained: it was rejected",
	policy.Verified:         "is better after its retraining",
	policy.Unverified:       "has too few events to say whether its retraining helped",
	policy.Regressed:        "is no better after its retraining",
	policy.CircuitOpened:    "is paused: too many retrainings have failed",
	policy.Paused:           "is paused",
	policy.Resumed:          "goes on",
	policy.PolicyChanged:    "has another policy",
	policy.Stopped:          "is not watched any more",
	policy.FleetFrozen:      "Retrainings are frozen",
	policy.FleetUnfrozen:    "Retrainings go on",
}

// answers are what an operator can say to a decision: commands before the model's
// name, and flags after it.
var answers = map[policy.Kind][]struct{ command, flags string }{
	policy.AwaitingApproval: {{"approve", ""}, {"reject", ""}},
	policy.Triggered:        {{"cancel", ""}},
	policy.Accepted:         {{"cancel", ""}},
	policy.Failed:           {{"retrain", " --force"}},
	policy.TimedOut:         {{"retrain", " --force"}},
	policy.CancelFailed:     {{"status", ""}},
	policy.Regressed:        {{"explain", ""}, {"retrain", " --force"}},
	policy.Warned:           {{"explain", ""}},
	policy.Held:             {{"explain", ""}},
	policy.CircuitOpened:    {{"resume", ""}},
	policy.Paused:           {{"resume", ""}},
}

// messageOf says a notice in words. What it repeats from elsewhere, such as names and
// reasons, goes through quote, so that the medium takes it for text.
func messageOf(n monitor.Notice, link string, quote func(string) string) message {
	d := n.Decision
	m := message{title: quote(title(n))}
	add := func(line string) { m.lines = append(m.lines, quote(plain.Line(line))) }

	if d.Reason != "" {
		add(d.Reason)
	}
	if value, has := d.Value.Get(); has {
		line := fmt.Sprintf("rule %s: %s", d.Rule, plain.Number(value))
		if threshold, has := d.Threshold.Get(); has {
			line += ", its threshold is " + plain.Number(threshold)
		}
		add(line)
	}
	if d.By != "" {
		add("by " + d.By)
	}

	when := "at " + plain.Time(d.At)
	if d.Kind.IsOpen() {
		when = "since " + plain.Time(d.At)
	}
	if !n.Until.IsZero() {
		when += ", until " + plain.Time(n.Until)
	}
	add(when)

	if n.Team != "" {
		add("team " + n.Team)
	}
	if link != "" {
		m.lines = append(m.lines, link)
	}
	if quote(n.ModelName) == n.ModelName { // else what is copied would not be it
		m.lines = append(m.lines, commands(n)...)
	}
	return m
}

func title(n monitor.Notice) string {
	if n.ModelName == "" {
		return phrases[n.Decision.Kind]
	}
	return plain.Line(strings.Join(strings.Fields(n.ModelName+" "+n.Decision.ModelVersion), " ") + " " + phrases[n.Decision.Kind])
}

// commands are what answers a notice, to be copied into a shell.
func commands(n monitor.Notice) (lines []string) {
	if n.Decision.Kind == policy.FleetFrozen {
		return []string{"modelvigil list", "modelvigil unfreeze"}
	}
	if strings.ContainsFunc(n.ModelName, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil // nobody could copy it
	}
	for _, a := range answers[n.Decision.Kind] {
		lines = append(lines, "modelvigil "+a.command+" "+quoted(n.ModelName)+a.flags)
	}
	return lines
}

// quoted is a text as one word of a POSIX shell.
func quoted(text string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-/:@+", r))
	}
	if text != "" && text[0] != '-' && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	quoted := "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	if text != "" && text[0] == '-' {
		return "-- " + quoted // no flag
	}
	return quoted
}
