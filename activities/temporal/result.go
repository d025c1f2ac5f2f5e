package temporal

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// maxMessageBytes is how much of a workflow's own words is kept in the outcome.
const maxMessageBytes = 1000

// decoded is what a workflow returned without what its connection's codec did to
// it, such as encryption.
func (b *Backend) decoded(result *common.Payloads) *common.Payloads {
	plain := &common.Payloads{}
	for _, payload := range result.GetPayloads() {
		var raw converter.RawValue
		if err := b.data.FromPayload(payload, &raw); err == nil {
			payload = raw.Payload()
		}
		plain.Payloads = append(plain.Payloads, payload)
	}
	return plain
}

// resultOf is what a workflow returned, as an outcome. Whatever it is, the
// retraining has succeeded, unless it says "state": "failed".
func resultOf(result *common.Payloads) modelops.Outcome {
	outcome := modelops.Outcome{State: modelops.Succeeded}
	if len(result.GetPayloads()) == 0 {
		return outcome
	}

	payload := result.GetPayloads()[0]
	text := payload.GetData()
	switch encoding := string(payload.GetMetadata()[converter.MetadataEncoding]); encoding {
	case converter.MetadataEncodingNil:
		return outcome
	case converter.MetadataEncodingJSON, converter.MetadataEncodingProtoJSON:
	default:
		outcome.Message = plain.Excerpt(fmt.Sprintf("its result is passed over: encoded as %q, not as JSON", encoding), maxMessageBytes)
		return outcome
	}

	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		outcome.Message = plain.Excerpt(plain.JSON(text), maxMessageBytes)
		return outcome
	}

	if plain.JSON(fields["state"]) == string(modelops.Failed) {
		outcome.State = modelops.Failed
	}
	outcome.Message = plain.JSON(fields["message"])
	outcome = outcome.WithVersion(modelops.Version(fields["model_version"]))
	outcome.Message = plain.Excerpt(outcome.Message, maxMessageBytes)
	return outcome
}

// messageOf is a failure in the words of whoever failed: the frames that Temporal
// puts around it ("activity error") are named, not quoted.
func messageOf(f *failure.Failure) string {
	var frames string
	for f.GetCause() != nil {
		switch {
		case f.GetActivityFailureInfo() != nil:
			frames += "activity " + f.GetActivityFailureInfo().GetActivityType().GetName() + ": "
		case f.GetChildWorkflowExecutionFailureInfo() != nil:
			frames += "child workflow " + f.GetChildWorkflowExecutionFailureInfo().GetWorkflowType().GetName() + ": "
		default:
			return frames + f.GetMessage()
		}

		f = f.GetCause()
	}

	message := f.GetMessage()
	if message == "" {
		message = "it failed without a word"
	}
	if f.GetTimeoutFailureInfo() != nil {
		message += " (" + f.GetTimeoutFailureInfo().GetTimeoutType().String() + ")"
	}
	return frames + message
}
