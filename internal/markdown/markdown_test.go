package markdown_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/markdown"
)

// What the Temporal UI's renderer makes links of, once escapes are resolved: the
// expressions of mdast-util-gfm-autolink-literal.
var links = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(https?://|www\.)([-.\w]+)`),
	regexp.MustCompile(`[-.\w+]+@[-\w]+(\.[-\w]+)+`),
}

// resolved is a text as a renderer has it when backslashes are resolved.
func resolved(markdown string) string {
	return regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])").ReplaceAllString(markdown, "$1")
}

func TestTextFromElsewhereStaysText(t *testing.T) {
	for text, want := range map[string]string{
		"fraud":                         "fraud",
		"fraud-eu_v7.2":                 `fraud-eu\_v7.2`,
		"[click](https://evil.example)": `\[click\](https:` + "\u200b" + `//evil.example)`,
		"![x](y)":                       `!\[x\](y)`,
		"<img src=x onerror=alert(1)>":  `\<img src=x onerror=alert(1)>`,
		"a|b\nc":                        `a\|b c`,
		"`code`":                        "'code'",
		"wWw.evil.example":              "wWw\u200b.evil.example",
		"me@evil.example":               "me\u200b@evil.example",
		"&lt;b&gt;":                     `\&lt;b\&gt;`,
	} {
		assert.Equal(t, want, markdown.Escape(text))
	}
	for text, want := range map[string]string{
		"model-monitor/fraud/1": "`model-monitor/fraud/1`",
		"a`[b](https://c)`":     "`` a`[b](https://c)` ``",
		"```":                   "```` ``` ````",
		"a|b\nc":                "`a\u00a6b c`",
	} {
		assert.Equal(t, want, markdown.Code(text))
	}
}

func TestNothingIsALinkOrMarkup(t *testing.T) {
	pieces := []string{"http", "HTTPS", ":", "//", "/", "www", "wWw", ".", "@", "a", "evil.example", "\\", "`", "``", "[", "]", "(", ")", "<", ">", "*", "_", "~", "|", "&", "#", "!", "\n", "\r", " ", "\u200b"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		escaped := markdown.Escape(text)
		require.NotRegexp(t, "(^|[^\\\\])(\\\\\\\\)*[\\[\\]<*_~|&]", escaped, "an unescaped character")
		require.NotContains(t, escaped, "\n")
		require.NotContains(t, escaped, "`")
		for _, link := range links {
			require.NotRegexp(t, link, resolved(escaped), "a link")
		}

		code := markdown.Code(text)
		fence := code[:len(code)-len(strings.TrimLeft(code, "`"))]
		within := strings.TrimSuffix(strings.TrimPrefix(code, fence), fence)
		if text != "" {
			require.NotContains(t, within, fence)
			require.NotContains(t, within, "|")
		}
	})
}
