package plain_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/plain"
)

func TestAnExcerptIsOneBoundedLineOfWhatCanBeSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		limit := rapid.IntRange(3, 60).Draw(t, "limit")

		got := plain.Excerpt(from, limit)

		assert.LessOrEqual(t, len(got), limit)
		assert.True(t, utf8.ValidString(got), "%q", got)
		assert.False(t, strings.ContainsFunc(got, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }), "%q", got)
		assert.Equal(t, strings.TrimSpace(got), got)
		assert.NotContains(t, got, "  ")
	})
}

func TestTextFromElsewhere(t *testing.T) {
	tests := map[string]struct{ got, want string }{
		"a run of white space is one space":          {plain.Excerpt("  a\n\t b\x1b[31m ", 99), "a b [31m"},
		"what is no UTF-8 is marked":                 {plain.Excerpt("a\xffb", 99), "a\uFFFDb"},
		"what fits is whole":                         {plain.Cut("größe", 7), "größe"},
		"no character is cut apart":                  {plain.Cut("größer", 6), "gr…"},
		"faults stand side by side":                  {plain.Faults(assert.AnError), assert.AnError.Error()},
		"an escape sequence is shown, not obeyed":    {plain.Text("a\x1b[31mé\n"), `a\x1b[31mé\n`},
		"a JSON string is its text":                  {plain.JSON([]byte(`"a\nb"`)), "a\nb"},
		"another JSON value is as it is written":     {plain.JSON([]byte(`{"a": 1}`)), `{"a": 1}`},
		"null is empty":                              {plain.JSON([]byte("null")), ""},
		"no JSON is empty":                           {plain.JSON(nil), ""},
		"a number has six digits":                    {plain.Number(0.12345678), "0.123457"},
		"thousands are parted":                       {plain.Thousands(1234567), "1,234,567"},
		"three digits are not":                       {plain.Thousands(-123), "-123"},
		"an instant is in UTC, wherever it was said": {plain.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))), "2026-03-01 11:00:00 UTC"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.got) })
	}
}
