package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/explain"
	"github.com/modelvigil/modelvigil/starter/status"
	"github.com/modelvigil/modelvigil/starter/top"
)

// Whoever publishes chooses names and reasons, and operators read them in a terminal and
// in logs: none colours it, moves its cursor, turns the direction of text, or makes
// another line of what it is on.
func TestNoNameOrReasonIsObeyedByATerminal(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, evil := range map[string]string{
		"an escape sequence": "\x1b[31m\x1b]0;owned\a", "a new line": "\nforged line", "a carriage return": "\rforged", "a line separator": "\u2028forged",
		"a bidi override": "\u202e\u2066", "a C1 control": "\u009b31m", "a backspace": "\b\b", "a byte that is no text": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			said := evil + "word"
			machine := monitor.NewMachine("fraud"+said, "base", policy.Policy{}.With(policy.Below("auc"+said, 0.75)))
			machine.Observe(at, &metric.Event{
				Timestamp: at, ModelName: "fraud" + said, ModelVersion: "v7" + said,
				Accuracy: metric.Some(0.5), Metrics: map[string]float64{"auc" + said: 0.1, "other" + said: 1},
			})
			machine.PauseBy(at, monitor.Control{By: "ada" + said, Reason: said})
			lived := machine.Status(at)

			shown := map[string]string{}
			for output, print := range map[string]func(*strings.Builder) error{
				"list": func(b *strings.Builder) error {
					return printList(b, []listedMonitor{{ModelName: "fraud" + said, State: "running", Glance: monitor.Glance{
						ModelVersion: "v7" + said, Failure: &monitor.GlanceDecision{Reason: said},
					}}})
				},
				"status":         func(b *strings.Builder) error { return status.Print(b, lived, status.Aside{Word: said}, at) },
				"explain":        func(b *strings.Builder) error { return explain.Status(lived, "", at).Print(b) },
				"status in JSON": func(b *strings.Builder) error { return writeJSON(b, lived) },
				"top": func(b *strings.Builder) error {
					_, err := b.WriteString(top.Print([]top.Row{{ModelName: "fraud" + said, Glance: monitor.Glance{
						ModelVersion: "v7" + said, Team: said, Backend: said, Failure: &monitor.GlanceDecision{Reason: said},
					}}}, []fleet.Freeze{{Teams: []string{said}, By: said, Reason: said}}, at))
					return err
				},
				"a log in text": func(b *strings.Builder) error {
					setting.NewLogger(0, "text", b).Info(said, "model_name", said)
					return nil
				},
				"a log in JSON": func(b *strings.Builder) error {
					setting.NewLogger(0, "json", b).Info(said, "model_name", said)
					return nil
				},
			} {
				var text strings.Builder
				require.NoError(t, print(&text), output)
				shown[output] = text.String()
			}

			for output, text := range shown {
				assert.Contains(t, text, "word", output)
				if output == "status in JSON" {
					var again monitor.Status
					assert.NoError(t, json.Unmarshal([]byte(text), &again))
					assert.Equal(t, strings.ToValidUTF8("fraud"+said, "\uFFFD"), again.ModelName, "and a program reads what was said")
				}
				for _, r := range text {
					isObeyed := r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
					assert.False(t, isObeyed, "%s: %q in %q", output, r, text)
				}
				for line := range strings.Lines(text) {
					assert.False(t, strings.HasPrefix(line, "forged"), "%s: %q", output, line)
				}
			}
		})
	}
}
