// Package notify makes the channels of a process from its file of channels: chats,
// mail and pagers through shoutrrr, Alertmanagers, and webhooks.
package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

// Settings are all settings of notifications.
type Settings struct {
	File string `env:"NOTIFICATIONS_FILE" meaning:"YAML file of the channels that policies can notify; see docs/notifications.md"`
	UI   string `env:"TEMPORAL_UI_URL" meaning:"where the Temporal UI is, such as http://localhost:8233: notices link to it; not set, they have no links"`
}

// Process is what channels need of the process that they run in.
type Process struct {
	Environment map[string]string // where secrets are looked up
	Namespace   string            // the monitors' own
	FleetID     string            // the workflow that a notice of all models is about
	Logger      *slog.Logger
}

// kind is one kind of channel, with the settings of one instance.
type kind interface {
	// open makes the channel. Its error joins one fault a line, field first.
	open(shop) (channel, error)
}

// channel is one that can be checked, too, without telling anybody anything.
type channel interface {
	activities.Channel
	modelops.Checker
	// ignores says that a notice is not for this channel.
	ignores(monitor.Notice) bool
}

// shop is what all channels of a process have in common.
type shop struct {
	link func(monitor.Notice) string // to the workflow in the Temporal UI, or ""
	log  *slog.Logger
}

// kinds are all kinds, by name: the zero settings of each.
var kinds = map[string]func() kind{
	"alertmanager": func() kind { return &alertmanagerSettings{} },
	"shoutrrr":     func() kind { return &shoutrrrSettings{} },
	"webhook":      func() kind { return &webhookSettings{} },
}

// common are the settings that channels of every kind have.
type common struct {
	Teams []string `json:"teams"` // whose policies may use it; none: all
	Rate  rate     `json:"rate"`
}

// Open makes all channels of the file. Its error joins every fault, with its
// variable first, and tells no secret.
func (s Settings) Open(p Process) (activities.Notices, error) {
	link, err := s.linker(p)
	faults := []error{err}
	notices := activities.Notices{Channels: activities.Channels{}}
	if s.File != "" {
		top, err := setting.ReadMapping(s.File)
		if errors.Is(err, setting.ErrNoMapping) {
			err = fmt.Errorf("%w with `channels` and, if you like, `fleet`", err)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("NOTIFICATIONS_FILE: %w", err))
		}
		for _, fault := range read(top, &notices, shop{link, p.Logger}, p.Environment) {
			faults = append(faults, fmt.Errorf("NOTIFICATIONS_FILE: %s: %w", s.File, fault))
		}
	}

	return notices, errors.Join(faults...)
}

// read makes the channels of a file, and names each fault by its path.
func read(top map[string]json.RawMessage, notices *activities.Notices, common shop, environment map[string]string) (faults []error) {
	for _, name := range slices.Sorted(maps.Keys(top)) {
		if name != "channels" && name != "fleet" {
			faults = append(faults, strict.At(name, strict.UnknownField(name, []string{"channels", "fleet"})))
		}
	}

	var channels map[string]json.RawMessage
	if json.Unmarshal(orNull(top["channels"]), &channels) != nil {
		faults = append(faults, errors.New("channels: must be a mapping of names to settings, such as `chat: {kind: shoutrrr, url: {env: CHAT_URL}}`"))
	}
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		channel, err := open(name, channels[name], common, environment)
		for _, fault := range setting.Each(err) {
			faults = append(faults, fmt.Errorf("channels.%s.%w", name, fault))
		}
		notices.Channels[name] = channel
	}

	if json.Unmarshal(orNull(top["fleet"]), &notices.Fleet) != nil {
		faults = append(faults, errors.New("fleet: must be a list of channels"))
	}
	for i, name := range notices.Fleet {
		if _, known := channels[name]; !known {
			faults = append(faults, fmt.Errorf("fleet[%d]: channels has no %q, only %s", i, name, strings.Join(slices.Sorted(maps.Keys(channels)), ", ")))
		}
	}

	return faults
}

func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}

// open makes one channel. Each of its faults begins with a field.
func open(name string, text json.RawMessage, s shop, environment map[string]string) (activities.DeclaredChannel, error) {
	var declared activities.DeclaredChannel
	if err := setting.CheckName(name); err != nil {
		return declared, fmt.Errorf("name: %w", err)
	}
	of, fields, err := setting.KindOf(text, slices.Sorted(maps.Keys(kinds)))
	if err != nil {
		return declared, err
	}

	settings := kinds[of]()
	var shared common
	for _, field := range []string{"teams", "rate"} {
		if value, has := fields[field]; has {
			err = errors.Join(append(setting.Each(err), setting.Decode(&shared, map[string]json.RawMessage{field: value}, nil)...)...)
			delete(fields, field)
		}
	}

	if faults := append(setting.Each(err), setting.Decode(settings, fields, environment)...); len(faults) > 0 {
		return declared, errors.Join(faults...)
	}
	channel, err := settings.open(s)
	if err != nil {
		return declared, err
	}

	return activities.DeclaredChannel{Channel: shared.Rate.limit(channel), Kind: of, Teams: shared.Teams}, nil
}

// linker makes the links to workflows in the Temporal UI.
func (s Settings) linker(p Process) (func(monitor.Notice) string, error) {
	if s.UI == "" {
		return func(monitor.Notice) string { return "" }, nil
	}
	ui, err := url.Parse(s.UI)
	if err != nil || ui.Scheme != "http" && ui.Scheme != "https" || ui.Hostname() == "" || ui.User != nil || ui.RawQuery != "" || ui.Fragment != "" {
		return nil, errors.New("TEMPORAL_UI_URL: must be an absolute http or https URL such as http://localhost:8233, without a query or a password")
	}

	root := strings.TrimRight(s.UI, "/") + "/namespaces/" + url.PathEscape(p.Namespace) + "/workflows/"
	return func(notice monitor.Notice) string {
		id := p.FleetID
		if notice.ModelName != "" {
			id = contract.WorkflowID(notice.ModelName)
		}
		return root + url.PathEscape(id)
	}, nil
}
