package notify

import (
	"context"
	"fmt"
	"net/url"

	"github.com/modelvigil/modelvigil/activities/webhook"
	"github.com/modelvigil/modelvigil/internal/cloudevent"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/monitor"
)

// EventType is the type of a notice's CloudEvent, below which is the decision's kind.
const EventType = "ai.modelvigil.decision."

// Notification is the data of a notice's CloudEvent. Receivers written in Go may
// decode the body of a request into a cloudevent.Event of it, once its signature is
// verified.
type Notification struct {
	monitor.Notice
	Title string `json:"title"`
	Text  string `json:"text"`           // several lines
	Link  string `json:"link,omitempty"` // to the monitor in the Temporal UI
}

type webhookSettings struct {
	URL    string         `json:"url"`
	Secret setting.Secret `json:"secret"`
}

func (s *webhookSettings) open(common shop) (channel, error) {
	endpoint, err := webhook.NewEndpoint(webhook.Config{URL: s.URL, Secret: s.Secret.Value()})
	if err != nil {
		return nil, err
	}
	if s.Secret.Value() == "" {
		address, _ := url.Parse(s.URL) // it is good
		common.log.Warn("notices are not signed: set a secret, and have the endpoint verify it", "host", address.Host)
	}
	return &receiver{endpoint, common.link}, nil
}

// receiver takes notices as CloudEvents.
type receiver struct {
	*webhook.Endpoint
	link func(monitor.Notice) string
}

// ignores nothing: what settles something is an event, too.
func (*receiver) ignores(monitor.Notice) bool { return false }

// Tell posts the notice. Its id stays the same however often that is done.
func (r *receiver) Tell(ctx context.Context, n monitor.Notice) error {
	link := r.link(n)
	m := messageOf(n, link, asItIs)
	data := Notification{n, m.title, m.text(), link}
	event := cloudevent.New(EventType+string(n.Decision.Kind), n.ID, n.ModelName, n.Decision.At, data)
	if err := r.Deliver(ctx, n.ID, event); err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	return nil
}
