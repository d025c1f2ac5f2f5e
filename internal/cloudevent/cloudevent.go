// Package cloudevent writes CloudEvents 1.0 that speak of a model, in structured mode:
// what the webhook backend asks for and what the webhook channel tells.
package cloudevent

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/modelvigil/modelvigil/contract"
)

const (
	// ContentType is of a CloudEvent in structured mode; see the HTTP protocol
	// binding of CloudEvents 1.0.2, section 3.2.
	ContentType = "application/cloudevents+json; charset=utf-8"

	specVersion = "1.0"
	sourceRoot  = "modelvigil/"
)

// Event is an event of a model in structured mode.
type Event[Data any] struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"` // of a retraining: the request id
	// Source is the monitor, a URI reference: modelvigil/model-monitor/<model
	// name>, percent-encoded.
	Source string `json:"source"`
	Type   string `json:"type"`
	// Subject is the model's name, left out where the name has characters that
	// CloudEvents attributes may not have.
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time,omitzero"` // of a retraining: when it was triggered
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// New is an event of a model.
func New[Data any](kind, id, modelName string, at time.Time, data Data) Event[Data] {
	event := Event[Data]{
		SpecVersion: specVersion, ID: id, Source: source(modelName), Type: kind, Time: at, DataContentType: "application/json", Data: data,
	}
	if !strings.ContainsFunc(modelName, barredFromAttributes) {
		event.Subject = modelName
	}
	return event
}

// source is the id of the model's monitor as a URI reference. The id has its
// own percent signs encoded, and all that is not printable ASCII; what is left
// to encode are the characters that have another meaning in a URI, or none.
func source(modelName string) string {
	id := contract.WorkflowID(modelName)
	var reference strings.Builder
	reference.WriteString(sourceRoot)
	for i := range len(id) {
		if c := id[i]; strings.IndexByte("\"#<>?[\\]^`{|}", c) >= 0 {
			fmt.Fprintf(&reference, "%%%02X", c)
		} else {
			reference.WriteByte(c)
		}
	}
	return reference.String()
}

// barredFromAttributes are the characters that no attribute of a CloudEvent may
// have: controls and noncharacters; see CloudEvents 1.0.2, "Type System".
func barredFromAttributes(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r)
}
