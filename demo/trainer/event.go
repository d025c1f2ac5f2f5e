package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
)

const (
	eventType    = "ai.modelvigil.retraining.requested"
	eventVersion = "1.0"
	eventMedia   = "application/cloudevents+json"
	// maxEventBytes bounds one POST /retrainings; the params of a policy, its
	// longest part, are at most 16 KiB.
	maxEventBytes = 64 << 10
)

// retrainingEvent is what is read of a CloudEvent 1.0 in structured mode; further
// attributes are extensions, and further data fields are for other trainers.
type retrainingEvent struct {
	SpecVersion string         `json:"specversion"`
	ID          string         `json:"id"` // the request id
	Source      string         `json:"source"`
	Type        string         `json:"type"`
	Data        retrainingData `json:"data"`
}

type retrainingData struct {
	RequestID    string `json:"request_id"`
	ModelName    string `json:"model_name"`
	ModelVersion string `json:"model_version"`
	Reason       string `json:"reason"`
}

// readRetrainingEvent reads and checks a request; the signature comes first.
func (t *Trainer) readRetrainingEvent(w http.ResponseWriter, r *http.Request) (retrainingEvent, *refusal) {
	var event retrainingEvent
	body, refused := readBody(w, r, maxEventBytes)
	if refused != nil {
		return event, refused
	}
	if t.webhook != nil {
		if err := t.webhook.Verify(body, r.Header); err != nil {
			return event, &refusal{status: http.StatusUnauthorized, reason: fmt.Sprintf("signature: %v", err)}
		}
	}

	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != eventMedia {
		return event, &refusal{
			status: http.StatusUnsupportedMediaType,
			reason: fmt.Sprintf("content-type: must be %s, got %q", eventMedia, r.Header.Get("Content-Type")),
		}
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return event, &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf("read cloudevent: %v", err)}
	}
	if err := event.validate(t.config.ModelName); err != nil {
		return event, &refusal{status: http.StatusUnprocessableEntity, reason: err.Error()}
	}

	return event, nil
}

func (e retrainingEvent) validate(modelName string) error {
	var faults []error
	if e.SpecVersion != eventVersion {
		faults = append(faults, fmt.Errorf("specversion: must be %q, got %q", eventVersion, e.SpecVersion))
	}
	if e.Type != eventType {
		faults = append(faults, fmt.Errorf("type: must be %q, got %q", eventType, e.Type))
	}
	if e.Source == "" {
		faults = append(faults, errors.New("source: must not be empty"))
	}
	if e.ID == "" {
		faults = append(faults, errors.New("id: must not be empty"))
	}
	if e.Data.RequestID != e.ID {
		faults = append(faults, fmt.Errorf("data.request_id: must be the event's id %q, got %q", e.ID, e.Data.RequestID))
	}
	switch {
	case e.Data.ModelName == "":
		faults = append(faults, errors.New("data.model_name: must not be empty"))
	case modelName != "" && e.Data.ModelName != modelName:
		faults = append(faults, fmt.Errorf("data.model_name: must be %q, the model trained here, got %q", modelName, e.Data.ModelName))
	}

	return errors.Join(faults...)
}
