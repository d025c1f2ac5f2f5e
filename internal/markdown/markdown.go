// Package markdown writes text from elsewhere, such as a model's name, into Markdown
// that the Temporal UI renders, so that it stays text: no link, no picture, no code,
// no markup of any kind.
package markdown

import "strings"

// gap is invisible. Escapes don't keep a renderer from making a link of what looks
// like an address: it looks at the text that is left when they are resolved.
const gap = "\u200b"

var escaper = strings.NewReplacer(
	"\n", " ", "\r", " ", "\\", "\\\\", "|", "\\|", "`", "'", "*", "\\*", "_", "\\_", "~", "\\~",
	"[", "\\[", "]", "\\]", "<", "\\<", "&", "\\&", "://", ":"+gap+"//", "www.", "www"+gap+".", "WWW.", "WWW"+gap+".", "@", gap+"@",
)

// Escape returns text for a line of Markdown.
func Escape(text string) string {
	escaped := escaper.Replace(text)
	for i := 0; i+3 < len(escaped); i++ { // whatever its case
		if word := escaped[i : i+4]; strings.EqualFold(word, "www.") {
			escaped = escaped[:i+3] + gap + escaped[i+3:]
		}
	}
	return escaped
}

// Code returns text as it is, as code: within more backticks than it has in a row.
func Code(text string) string {
	longest, run := 0, 0
	for _, r := range text {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}

	fence := strings.Repeat("`", longest+1)
	text = strings.NewReplacer("\n", " ", "\r", " ", "|", "\u00a6").Replace(text)
	if longest > 0 {
		text = " " + text + " "
	}
	return fence + text + fence
}
