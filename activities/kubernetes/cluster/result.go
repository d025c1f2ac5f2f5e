package cluster

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
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
		outcome.Message = plain.Excerpt(text, MaxMessageBytes)
		return outcome
	}
	if plain.JSON(fields["state"]) == string(monitor.OutcomeFailed) {
		outcome.State = monitor.OutcomeFailed
	}
	outcome.Message = plain.JSON(fields["message"])
	return WithVersion(outcome, plain.JSON(fields["model_version"]))
}

// WithVersion is an outcome that has made a model version. A text that can't be
// one is passed over, and the message says so.
func WithVersion(outcome monitor.Outcome, version string) monitor.Outcome {
	version = strings.TrimSpace(version)
	if err := monitor.ValidateModelVersion(version); err != nil {
		outcome.Message, version = strings.TrimSpace(fmt.Sprintf("%s (passed over: %v)", outcome.Message, err)), ""
	}
	outcome.Message, outcome.ModelVersion = plain.Excerpt(outcome.Message, MaxMessageBytes), version
	return outcome
}
