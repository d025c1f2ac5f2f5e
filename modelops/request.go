package modelops

import (
	"encoding/json"
	"time"
)

// Request is what a backend is asked for. In JSON it is the data of
// the webhook backend's CloudEvent.
type Request struct {
	// RequestID identifies the retraining for good: the same id asked for again
	// is the same job.
	RequestID    string                     `json:"request_id"`
	ModelName    string                     `json:"model_name"`
	ModelVersion string                     `json:"model_version,omitempty"` // the version that breached
	Reason       string                     `json:"reason"`
	Rule         string                     `json:"rule"` // RuleManual where an operator asked
	Metric       string                     `json:"metric,omitempty"`
	Value        *float64                   `json:"value,omitempty"` // nil where an operator asked
	Threshold    *float64                   `json:"threshold,omitempty"`
	TriggeredAt  time.Time                  `json:"triggered_at"`
	Params       map[string]json.RawMessage `json:"params,omitempty"` // the policy's retraining.params
}

// Job is a backend's answer to a request.
type Job struct {
	Backend   string `json:"backend"`              // which one took it
	ID        string `json:"job_id,omitempty"`     // its own name for the job
	StatusURL string `json:"status_url,omitempty"` // where the job is asked after
	// Followed says that the backend can be asked for the outcome.
	Followed bool `json:"followed,omitempty"`
}

// State is what a training pipeline says of a retraining.
type State string

// The states of a retraining that has ended.
const (
	Succeeded State = "succeeded"
	Failed    State = "failed"
)

// Outcome is the end of a retraining, as the `retraining-outcome` signal or a
// followed backend tells it.
type Outcome struct {
	RequestID    string `json:"request_id"`
	State        State  `json:"state"`
	Message      string `json:"message,omitempty"`
	ModelVersion string `json:"model_version,omitempty"` // the version it made
}

// RuleManual stands for the rule in a retraining that an operator asked for.
const RuleManual = "manual"
