package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/monitor"
)

// MaxMessageBytes is how much of a trainer's own words is kept in an outcome.
const MaxMessageBytes = 1000

// Result is what a trainer says of its work: a JSON object with model_version,
// message and state, all of them optional, or else a text, which is the message.
// Whatever it is, the retraining has succeeded, unless it says "state": "failed".
func Result(text string) monitor.Outcome {
	outcome := monitor.Outcome{State: monitor.OutcomeSucceeded}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		outcome.Message = OneLine(text, MaxMessageBytes)
		return outcome
	}
	if Plain(fields["state"]) == string(monitor.OutcomeFailed) {
		outcome.State = monitor.OutcomeFailed
	}
	outcome.Message = Plain(fields["message"])
	return WithVersion(outcome, Plain(fields["model_version"]))
}

// WithVersion is an outcome that has made a model version. A text that can't be
// one is passed over, and the message says so.
func WithVersion(outcome monitor.Outcome, version string) monitor.Outcome {
	version = strings.TrimSpace(version)
	if err := monitor.ValidateModelVersion(version); err != nil {
		outcome.Message, version = strings.TrimSpace(fmt.Sprintf("%s (passed over: %v)", outcome.Message, err)), ""
	}
	outcome.Message, outcome.ModelVersion = OneLine(outcome.Message, MaxMessageBytes), version
	return outcome
}

// Plain is a JSON string's text, and any other value as it is written; null and
// nothing are empty.
func Plain(value json.RawMessage) string {
	var text *string
	if len(value) == 0 {
		return ""
	}
	if json.Unmarshal(value, &text) == nil {
		if text == nil {
			return ""
		}
		return *text
	}
	return string(value)
}

// OneLine is at most limit bytes of a text from elsewhere, as valid UTF-8 on one
// line, each run of white space and control characters a single space.
func OneLine(text string, limit int) string {
	text = text[:min(len(text), 4*limit)] // white space shrinks
	words := strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	line := strings.Join(words, " ")
	if len(line) <= limit {
		return line
	}
	end := limit - len("…")
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + "…"
}
