package cluster

import (
	"encoding/json"

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
	return bounded(outcome.WithVersion(modelops.Version(fields["model_version"])))
}

// WithVersion is an outcome that has made the model version which an annotation or a
// field of an object holds.
func WithVersion(outcome modelops.Outcome, text string) modelops.Outcome {
	return bounded(outcome.WithVersion(modelops.VersionInText(text)))
}

// bounded is an outcome whose message has the room that is kept for it.
func bounded(outcome modelops.Outcome) modelops.Outcome {
	outcome.Message = plain.Excerpt(outcome.Message, MaxMessageBytes)
	return outcome
}
