package plain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestDurations(t *testing.T) {
	tests := map[string]struct{ got, want string }{
		"zeros at the end are cut":                 {plain.Duration(time.Hour), "1h"},
		"and only there":                           {plain.Duration(10*time.Hour + 20*time.Minute), "10h20m"},
		"none is no length":                        {plain.Duration(0), "0s"},
		"a second within an hour stays":            {plain.Duration(time.Hour + time.Second), "1h0m1s"},
		"people read seconds":                      {plain.Length(90*time.Second + time.Millisecond), "1m30s"},
		"what is below one stays":                  {plain.Length(1500 * time.Microsecond), "1.5ms"},
		"from two days on they are days":           {plain.Length(48 * time.Hour), "2d"},
		"and minutes":                              {plain.Length(49*time.Hour + 90*time.Second), "2d1h2m"},
		"a day that is nearly whole is rounded up": {plain.Length(72*time.Hour - time.Second), "3d"},
		"below two days hours are counted through": {plain.Length(47 * time.Hour), "47h"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.got) })
	}
}

func TestJSONThatSomebodyLooksAtIsObeyedByNoTerminalAndReadsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("a\u202e\u2066\u009b\x7f\u2028\U000E0001é")))).Draw(t, "text")
		var b strings.Builder
		require.NoError(t, json.NewEncoder(plain.JSONWriter(&b)).Encode(text))

		assert.False(t, strings.ContainsFunc(strings.TrimSpace(b.String()), func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }), "%q", b.String())
		var again string
		require.NoError(t, json.Unmarshal([]byte(b.String()), &again))
		assert.Equal(t, text, again)
	})
}
