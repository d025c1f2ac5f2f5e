package cluster

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// MaxMessageBytes is how much of a trainer's own words is kept in an outcome.
const MaxMessageBytes = 1000

// Result is what a trainer says of its work: a JSON object with model_version,
// message and state, all of them optional, or else a text, which is the message.
// Whatever it is, the retraining has succeeded, unless it says "state": "failed".
func Result(text string) modelops.Outcome {
	outcome := modelops.Outcome{State: modelops.Succeeded}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		outcome.Message = plain.Excerpt(text, MaxMessageBytes)
		return outcome
	}
	if plain.JSON(fields["state"]) == string(modelops.Failed) {
		outcome.State = modelops.Failed
	}
	outcome.Message = plain.JSON(fields["message"])
	return WithVersion(outcome, plain.JSON(fields["model_version"]))
}

// WithVersion is an outcome that has made a model version. A text that can't be
// one is passed over, and the message says so.
func WithVersion(outcome modelops.Outcome, version string) modelops.Outcome {
	version = strings.TrimSpace(version)
	if err := modelops.ValidateVersion(version); err != nil {
		outcome.Message = strings.TrimSpace(fmt.Sprintf("%s (passed over: %v)", outcome.Message, err))
		version = ""
	}
	outcome.Message = plain.Excerpt(outcome.Message, MaxMessageBytes)
	outcome.ModelVersion = version
	return outcome
}
