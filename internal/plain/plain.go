// Package plain brings words that come from elsewhere (answers of servers, results of
// jobs, errors) into a form that an error, a log, a list or the state of a monitor can
// hold: on one line, of bounded size, and with nothing that can't be seen.
package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line is a text as valid UTF-8 on one line: each run of white space and control
// characters is a single space, and none is at either end.
func Line(text string) string {
	words := strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
	return strings.Join(words, " ")
}

// Excerpt is Line of a text that may be huge, cut to at most limit bytes. Of the text
// itself no more than four times as much is looked at.
func Excerpt(text string, limit int) string {
	return Cut(Line(text[:min(len(text), 4*limit)]), limit)
}

// Cut shortens valid UTF-8 to at most limit bytes, never within a character. What was
// cut ends in an ellipsis.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// Faults is an error that joins several, one a line, on a single line.
func Faults(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Text keeps a text on its line, and what would move the cursor or colour the
// terminal out of it: such characters are shown as Go writes them, `\x1b`.
func Text(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// JSONWriter hands JSON on to a terminal or a log, where somebody may look at it as it is: in
// the texts it escapes what JSON lets stand and a terminal obeys, such as characters that
// turn the direction of text. Each write must be of whole characters.
func JSONWriter(to io.Writer) io.Writer { return jsonWriter{to} }

type jsonWriter struct{ to io.Writer }

// Write implements io.Writer.
func (w jsonWriter) Write(text []byte) (int, error) {
	isObeyed := func(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }
	if !bytes.ContainsFunc(text, isObeyed) {
		return w.to.Write(text)
	}

	var escaped []byte
	for _, r := range string(text) {
		switch high, low := utf16.EncodeRune(r); {
		case !isObeyed(r):
			escaped = utf8.AppendRune(escaped, r)
		case high == unicode.ReplacementChar: // it needs no pair
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		}
	}

	if _, err := w.to.Write(escaped); err != nil {
		return 0, err
	}
	return len(text), nil
}

// JSON is the text of a JSON string, and any other value as it is written; null and
// nothing are empty.
func JSON(value json.RawMessage) string {
	var text *string
	switch {
	case len(value) == 0:
		return ""
	case json.Unmarshal(value, &text) != nil:
		return string(value)
	case text == nil:
		return ""
	}
	return *text
}

// Number is a value to six significant digits, which is what people compare.
func Number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// Thousands is a count as people write it: 1,234.
func Thousands[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Time is an instant to the second, and says that it is UTC.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Words is a name of the wire contract as text says it: without underscores.
func Words[S ~string](name S) string { return Text(strings.ReplaceAll(string(name), "_", " ")) }

// Count is a number of things: `1 event`, `3 events`.
func Count[N int | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(int64(n), 10) + " " + thing + "s"
}

// CountIs is a number of things that something is said of: `1 event is`, `3 events are`.
func CountIs[N int | int64](n N, thing string) string {
	if n == 1 {
		return Count(n, thing) + " is"
	}
	return Count(n, thing) + " are"
}

// AndMore ends a list of which n are not shown.
func AndMore(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// WhoAndWhy is ` by ada: new labels`, as far as it is known.
func WhoAndWhy(by, reason string) (text string) {
	if by != "" {
		text = " by " + Text(by)
	}
	if reason != "" {
		text += ": " + Text(reason)
	}
	return text
}
