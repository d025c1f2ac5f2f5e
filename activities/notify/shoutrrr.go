package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	// sendTimeout bounds how long a send is waited for. The library's own timeouts
	// are 10 s or 30 s, and some of its services have none.
	sendTimeout = 35 * time.Second
	// maxSends is how many sends of one channel may be under way, those included
	// that nobody waits for any more: they can't be ended.
	maxSends = 8
	// sendGivenUp is when a send that never came back has its place taken. It is as
	// long as a notice is tried.
	sendGivenUp = time.Hour
	// maxTold is how many notices a channel remembers to have been told.
	maxTold = 1000
)

type shoutrrrSettings struct {
	URL setting.Secret `json:"url"`
}

func (s *shoutrrrSettings) open(common shop) (channel, error) {
	c := &chat{address: s.URL.Value(), link: common.link, sends: make(chan struct{}, maxSends)}
	if c.address == "" {
		return nil, errors.New("url: is missing; {env: VARIABLE} or {file: PATH} holds a URL such as slack://…, see docs/notifications.md")
	}
	if err := c.Check(context.Background()); err != nil {
		return nil, err
	}
	return c, nil
}

// chat is whatever shoutrrr speaks to.
type chat struct {
	address string // a secret as a whole
	link    func(monitor.Notice) string
	sends   chan struct{} // one element for each that is under way

	mu   sync.Mutex
	told []string // ids of notices, oldest first
}

// ignores what settles something: nobody asked a chat to be told that.
func (c *chat) ignores(n monitor.Notice) bool { return n.OnlyEnds }

// Check says whether the URL is one that can be sent to. It doesn't send: there is
// nothing that every service could be asked.
func (c *chat) Check(context.Context) error {
	_, _, err := c.service()
	return err
}

// service is what the URL names, and its name. A service can't be shared by
// concurrent sends.
func (c *chat) service() (service types.Service, name string, err error) {
	var r router.ServiceRouter
	name, _, _ = strings.Cut(c.address, ":")
	name, _, _ = strings.Cut(name, "+")
	if !slices.Contains(r.ListServices(), strings.ToLower(name)) || name == "logger" {
		services := slices.DeleteFunc(r.ListServices(), func(s string) bool { return s == "logger" })
		slices.Sort(services)
		return nil, "", fmt.Errorf("url: must be a URL of shoutrrr that begins with %s://", strings.Join(services, "://, "))
	}

	name = strings.ToLower(name)
	service, err = r.Locate(c.address)
	if err != nil {
		return nil, name, fmt.Errorf("url: is none of %s: %s", name, scrubbed(err, c.address))
	}

	return service, name, nil
}

// Tell sends a message. One that was not waited for may come all the same: a chat
// may be told a notice twice.
func (c *chat) Tell(ctx context.Context, notice monitor.Notice) error {
	service, name, err := c.service()
	if err != nil {
		return err
	}

	hasPlace := false
	select {
	case c.sends <- struct{}{}:
		hasPlace = true
	default:
	}
	free := sync.OnceFunc(func() { <-c.sends })
	// Only now: a place may have been freed by the notice itself, which came after all.
	switch isKnown := c.knows(notice.ID); {
	case isKnown && hasPlace:
		free()
		return nil
	case isKnown:
		return nil
	case !hasPlace:
		return fmt.Errorf("%s: %d earlier messages have not come back yet", name, maxSends)
	}

	message := messageOf(notice, c.link(notice), quoteFor(name))
	sent := make(chan error, 1)
	giveUp := time.AfterFunc(sendGivenUp, free)
	go func() {
		defer free()
		defer giveUp.Stop()
		err := send(service, name, message, notice.ID)
		if err == nil {
			c.know(notice.ID)
		}
		sent <- err
	}()
	timeout := time.NewTimer(sendTimeout)
	defer timeout.Stop()
	select {
	case err := <-sent:
		if err != nil {
			return fmt.Errorf("%s: %s", name, scrubbed(err, c.address))
		}
		return nil
	case <-timeout.C:
		return fmt.Errorf("%s: no answer within %v", name, sendTimeout)
	case <-ctx.Done():
		return fmt.Errorf("%s: no answer: %w", name, context.Cause(ctx))
	}
}

// send hands a message to the library.
func send(service types.Service, name string, m message, id string) (err error) {
	defer func() {
		if p := recover(); p != nil { // a message is not worth the process
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	text, params := m.title+"\n"+m.text(), types.Params{}
	switch name {
	case "smtp": // a header is ASCII
		text, params[types.TitleKey] = m.text()+"\n", mime.QEncoding.Encode("utf-8", m.title)
	case "pagerduty": // a retry is the same incident
		params["dedup_key"] = id
	case "slack": // what Slack would take for a mention or a link is none
		escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
		text, params[types.TitleKey] = escape.Replace(m.text()), escape.Replace(m.title)
	case "generic": // which takes it where a template has it
		params[types.TitleKey] = m.title
	case "bark", "gotify", "join", "lark", "ntfy", "opsgenie", "pushbullet", "pushover", "teams":
		text, params[types.TitleKey] = m.text(), m.title
	}

	return service.Send(text, &params)
}

func (c *chat) knows(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.told, id)
}

func (c *chat) know(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, id)
	c.told = c.told[max(0, len(c.told)-maxTold):]
}

// maxErrorBytes is how much of what a service answered is told.
const maxErrorBytes = 300

// scrubbed is an error's text without any part of a URL that is a secret.
func scrubbed(err error, secret string) string {
	text := err.Error()
	var outer *url.Error
	if errors.As(err, &outer) { // it repeats the URL that was built of the secret
		text = outer.Err.Error()
	}
	for _, part := range parts(secret) {
		text = strings.ReplaceAll(text, part, "…")
	}
	text = plain.Line(text)
	if len(text) > maxErrorBytes {
		text = strings.ToValidUTF8(text[:maxErrorBytes], "") + "…"
	}

	return text
}

// minPartBytes is below what a part of a secret is none, but a common word.
const minPartBytes = 4

// parts are the parts of a URL that errors may repeat, as they stand and decoded,
// the longest first.
func parts(secret string) (all []string) {
	_, rest, _ := strings.Cut(secret, ":")
	seen := map[string]bool{"": true}
	add := func(part string) {
		if len(part) >= minPartBytes && !seen[part] {
			seen[part] = true
			all = append(all, part)
		}
	}

	query := func(r rune) bool { return strings.ContainsRune("/?&@", r) }
	finest := func(r rune) bool { return strings.ContainsRune("/?&@=:,;#+-", r) }
	for _, form := range forms(rest) {
		add(form)
		for _, split := range []func(rune) bool{query, finest} {
			for _, part := range strings.FieldsFunc(form, split) {
				for _, form := range forms(part) {
					add(form)
				}
			}
		}
	}

	if u, err := url.Parse(secret); err == nil {
		password, _ := u.User.Password()
		for _, part := range []string{u.Host, u.Hostname(), u.Path, u.User.Username(), password} {
			add(part)
		}
		for _, values := range u.Query() {
			for _, value := range values {
				add(value)
			}
		}
	}

	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return all
}

// forms are a text as it stands, decoded, and as a URL or a quoted string has it.
func forms(text string) []string {
	all := []string{text, url.PathEscape(text), url.QueryEscape(text), strings.ToLower(text)}
	if decoded, err := url.PathUnescape(text); err == nil {
		all = append(all, decoded, url.PathEscape(decoded), url.QueryEscape(decoded))
	}
	return all
}
