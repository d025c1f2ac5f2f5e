package contract

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// Names of the wire contract: any language's Temporal client speaks them.
const (
	WorkflowType     = "MonitorWorkflow"
	DefaultTaskQueue = "model-monitor"

	SignalMetric            = "metric"             // one metric.Event, or an array of them
	SignalMetricDigest      = "metric-digest"      // one metric.Batch
	SignalRetrainingOutcome = "retraining-outcome" // one modelops.Outcome

	QueryStatus   = "status"   // answers with a monitor.Status
	QueryGuidance = "guidance" // answers with a Guidance
	QueryProfile  = "profile"  // takes a monitor.ProfileAsked, answers with a monitor.Profiled

	UpdateSetPolicy = "set-policy" // a policy.Policy
	UpdatePause     = "pause"      // this and all below: a monitor.Control
	UpdateResume    = "resume"
	UpdateRetrain   = "retrain"
	UpdateApprove   = "approve"
	UpdateReject    = "reject"
	UpdateCancel    = "cancel"
	UpdateStop      = "stop"

	// ForceOverrides is what a retraining goes out in spite of that an operator forces.
	ForceOverrides = "cooldown, blackout, budget and a pending approval"

	// MemoEnrolment is the memo field of a monitor whose first policy is that of an
	// enrolment, which one: nobody has chosen it for this model.
	MemoEnrolment = "enrolment"

	// MetadataUndecrypted is the metadata of a payload that arrived encrypted and
	// could not be decrypted here: why not.
	MetadataUndecrypted = "modelvigil-undecrypted"

	workflowIDPrefix = "model-monitor/"
)

// WorkflowID returns the id of a model's monitor. Bytes outside 0x21..0x7E, and
// `%`, are percent-encoded, because the SDK sends ids as gRPC headers, which
// take printable ASCII only.
func WorkflowID(modelName string) string {
	var id strings.Builder
	id.WriteString(workflowIDPrefix)
	for i := range len(modelName) {
		if c := modelName[i]; c < 0x21 || c > 0x7E || c == '%' {
			fmt.Fprintf(&id, "%%%02X", c)
		} else {
			id.WriteByte(c)
		}
	}
	return id.String()
}

// ModelName is the inverse of WorkflowID. It refuses every id that WorkflowID
// does not make, so that a model has one monitor.
func ModelName(workflowID string) (string, error) {
	encoded, ours := strings.CutPrefix(workflowID, workflowIDPrefix)
	if !ours {
		return "", fmt.Errorf("workflow id %q: must begin with %q", plain.Cut(workflowID, 80), workflowIDPrefix)
	}

	name, err := url.PathUnescape(encoded)
	if err == nil {
		err = metric.CheckName(name, 1, metric.MaxModelNameBytes)
	}
	if err != nil {
		return "", fmt.Errorf("workflow id %q: model name: %w", plain.Cut(workflowID, 80), err)
	}
	if want := WorkflowID(name); want != workflowID {
		return "", fmt.Errorf("workflow id %q: the monitor of model %q is %q", plain.Cut(workflowID, 80), name, want)
	}

	return name, nil
}

// ValidateModelName says what is wrong with a model's name.
func ValidateModelName(name string) error {
	return strict.At("model_name", metric.CheckName(name, 1, metric.MaxModelNameBytes))
}

// ValidateModelVersion says what is wrong with the name of a model's version.
func ValidateModelVersion(version string) error {
	return strict.At("model_version", metric.CheckName(version, 0, metric.MaxModelVersionBytes))
}
