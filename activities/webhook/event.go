package webhook

import (
	"github.com/modelvigil/modelvigil/internal/cloudevent"
	"github.com/modelvigil/modelvigil/modelops"
)

// EventType is the type of every event.
const EventType = "ai.modelvigil.retraining.requested"

// Event is the CloudEvent that asks for a retraining. Receivers written in Go
// may decode the body of a request into it, once its signature is verified.
type Event = cloudevent.Event[modelops.Request]

func newEvent(request modelops.Request) Event {
	return cloudevent.New(EventType, request.RequestID, request.ModelName, request.TriggeredAt, request)
}
