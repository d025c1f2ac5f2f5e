package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/policy"
)

// Control is an operator's word: who, and why.
type Control struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Force  bool      `json:"force,omitempty"` // for retrain: override what contract.ForceOverrides says
	At     time.Time `json:"at,omitzero"`     // set by the machine
}

// DecodeControl reads the payload of an operator's update; nothing at all is an
// empty Control. Unknown fields are refused by name.
func DecodeControl(payload []byte) (Control, error) {
	var control Control
	if len(payload) == 0 {
		return control, nil
	}
	err := strict.Decode(payload, "", strict.Fields{"by": &control.By, "reason": &control.Reason, "force": &control.Force})
	control.By, control.Reason = plain.Cut(control.By, policy.MaxTextBytes), plain.Cut(control.Reason, policy.MaxTextBytes)
	return control, err
}
