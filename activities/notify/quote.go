package notify

import (
	"slices"
	"strings"
)

// gap is invisible, and keeps what stands beside it from being one.
const gap = "\u200b"

// readByPrograms are the services whose messages programs read, or templates put
// where they belong.
var readByPrograms = []string{"generic", "opsgenie", "pagerduty"}

// quoteFor returns how a service is told text from elsewhere, so that nobody is
// mentioned by it, nothing becomes a link, and nothing is set as code. Chats agree on
// little else than the characters that these begin with: @channel, @all, <users/all>,
// <!here>, [text](address), https://, www.
func quoteFor(service string) func(string) string {
	if slices.Contains(readByPrograms, service) {
		return asItIs
	}
	return quoteInChat
}

func asItIs(text string) string { return text }

var chatQuoter = strings.NewReplacer("@", "@"+gap, "<", "<"+gap, "](", "]"+gap+"(", "://", ":"+gap+"//", "`", "'")

func quoteInChat(text string) string {
	quoted := chatQuoter.Replace(text)
	for i := 0; i+3 < len(quoted); i++ {
		if strings.EqualFold(quoted[i:i+4], "www.") {
			quoted = quoted[:i+3] + gap + quoted[i+3:]
		}
	}
	return quoted
}
