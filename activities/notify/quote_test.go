package notify

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// What chats take for a mention, a link or code.
var active = regexp.MustCompile("(?i)@[a-z*]|<[a-z!@#/]|\\]\\(|[a-z]+://|www\\.|`")

func TestNoChatTakesANameForAMentionOrALink(t *testing.T) {
	var r router.ServiceRouter
	for _, service := range r.ListServices() {
		notice := monitor.Notice{ModelName: "@all <!here> <users/all> [x](https://evil.example) www.evil.example `rm`", Decision: monitor.Decision{
			Kind: policy.Triggered, Reason: "@channel https://evil.example", By: "@room",
		}}
		m := messageOf(notice, "https://temporal.example/the-monitor", quoteFor(service))
		said := strings.ReplaceAll(m.title+"\n"+m.text(), "https://temporal.example/the-monitor", "")
		switch service {
		case "generic", "opsgenie", "pagerduty":
			assert.Contains(t, said, "@all", service)
		default:
			assert.NotRegexp(t, active, said, service)
			assert.Contains(t, m.text(), "https://temporal.example/the-monitor", "the link of ours is one")
			assert.NotContains(t, said, "modelvigil ", "what could not be copied is not said")
		}
	}
	plain := messageOf(monitor.Notice{ModelName: "fraud", Decision: monitor.Decision{Kind: policy.Paused}}, "", quoteInChat)
	assert.Contains(t, plain.text(), "modelvigil resume fraud")
}

func TestNothingIsActiveOnceItIsQuoted(t *testing.T) {
	pieces := []string{"@", "a", "*", "<", "!", "/", "]", "(", "http", ":", "//", "www", "WwW", ".", "`", " ", gap}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		require.NotRegexp(t, active, quoteInChat(text))
	})
}
