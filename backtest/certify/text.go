package certify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Text is what is said of certificates to people: a table for each policy and model.
func Text(certificates []*Certificate, per time.Duration) string {
	var text strings.Builder
	for i, c := range certificates {
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(certificateHead(c) + "\n\n")
		text.WriteString(plain.Table(certificateRows(c)) + "\n")
		text.WriteString(certificateNotes(c, per))
	}
	return text.String()
}

func certificateHead(c *Certificate) string {
	name := plain.Text(c.Policy)
	if c.Document > 0 {
		name += fmt.Sprintf(" #%d", c.Document)
	}
	return fmt.Sprintf("%s over %s: %d resamples of %s, in blocks of %s on average", name, plain.Text(c.ModelName),
		c.Samples, plain.Length(time.Duration(c.Length)), plain.Length(time.Duration(c.Block)))
}

// certificateRows has a line for the policy and for each that it is held against.
func certificateRows(c *Certificate) [][]string {
	rows := [][]string{Head(c.Per, &c.Record), Row("the policy", &c.Record)}
	if c.Default != nil {
		rows = append(rows, Row("the default policy", c.Default))
	}
	calendar := c.Calendar
	calendar.FalseAlarms = certificate.Rate{Mean: calendar.FalseAlarms.Mean, Low: calendar.FalseAlarms.Mean, High: calendar.FalseAlarms.Mean}
	return append(rows, Row("a calendar, as often", &calendar), Row("at every look", &c.Always))
}

// Head is above rows of records.
func Head(per string, r *Record) []string {
	head := []string{"", "false alarms per " + per, "95 %"}
	for _, change := range r.Changes {
		head = append(head, plain.Text(change.Change)+" found", "delay p50", "p95")
	}
	return head
}

// Row is a record as a row of a table.
func Row(name string, r *Record) []string {
	row := []string{name, RateText(r.FalseAlarms.Mean), RateText(r.FalseAlarms.Low) + " to " + RateText(r.FalseAlarms.High)}
	for _, found := range r.Changes {
		row = append(row, strconv.FormatFloat(100*found.Found, 'f', 0, 64)+" %", delayText(found.DelayP50), delayText(found.DelayP95))
	}
	return row
}

// RateText has three digits.
func RateText(rate float64) string {
	switch {
	case rate >= 100:
		return strconv.FormatFloat(rate, 'f', 0, 64)
	case rate >= 10:
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 2, 64)
}

func delayText(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return plain.Length(time.Duration(*seconds * float64(time.Second)))
}

func certificateNotes(c *Certificate, per time.Duration) string {
	text := "No false alarm in any resample.\n"
	if interval := c.Interval(per); interval > 0 {
		text = fmt.Sprintf("A false alarm every %s.\n", plain.Length(interval))
	}
	if c.LeftOut > 0 {
		text += fmt.Sprintf("%s left out: after a point of drift, or beyond the last whole season.\n", plain.CountIs(c.LeftOut, "event"))
	}
	for _, name := range c.Unjudged {
		text += fmt.Sprintf("Rule %s has judged nothing: the recording, or one version of it, has not what it needs.\n", plain.Text(name))
	}

	return text
}
