package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// shown is how much of a text that can't be read is shown, in bytes.
const shown = 60

// Got turns an error of encoding/json into one that says in the field's words what was
// wanted, what was there instead, and where. Any other error stays as it is.
func Got(err error, data []byte) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var badTime *time.ParseError
	switch {
	case errors.As(err, &badTime):
		return fmt.Errorf("must be an RFC 3339 time such as 2006-01-02T15:04:05Z, got %s", excerpt(data))
	case errors.As(err, &wrongType) && strings.HasPrefix(wrongType.Value, "number "):
		return fmt.Errorf("%s is out of range", wrongType.Value)
	case errors.As(err, &wrongType):
		return fmt.Errorf("must be %s, got %s", typeWord(wrongType.Type.Kind().String()), article(wrongType.Value))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not JSON: %s, in %s", tooEarly, excerpt(data))
	case errors.As(err, &syntax):
		return notJSON(syntax, data)
	}

	return err
}

const tooEarly = "it ends too early; a quote, bracket or brace is open"

// places are what encoding/json says of a character that is out of place, and what must
// stand there instead.
var places = []struct{ said, must string }{
	{"after object key:value pair", "where a comma or } must be"},
	{"after object key", "where a colon must be"},
	{"after array element", "where a comma or ] must be"},
	{"after top-level value", "behind the end"},
	{"looking for beginning of value", "where a value must be: a number, a text in double quotes, true, false, null, a list or an object"},
	{"looking for beginning of object key string", "where a name in double quotes must be"},
	{"in literal", "in what is neither a number nor true, false or null; a text is in double quotes"},
	{"in string literal", "in a text, where it must be escaped"},
	{"in string escape code", "behind a backslash, where it means nothing"},
	{"in \\u hexadecimal character escape", "in \\u, which four hexadecimal digits must follow"},
	{"after decimal point in numeric literal", "where a digit must be"},
	{"in exponent of numeric literal", "where a digit must be"},
	{"in numeric literal", "in a number"},
}

// notJSON says where a text is no JSON, and what stands there.
func notJSON(err *json.SyntaxError, data []byte) error {
	at := int(err.Offset) - 1
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("not JSON: it is empty")
	}
	if at < 0 || at >= len(data) || strings.HasPrefix(err.Error(), "unexpected end") {
		return fmt.Errorf("not JSON: %s, in %s", tooEarly, excerpt(data))
	}

	must := "where it must not be"
	for _, place := range places {
		if strings.Contains(err.Error(), place.said) {
			must = place.must
			break
		}
	}
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	where := fmt.Sprintf("at byte %d", at+1)
	if line > 1 {
		where = fmt.Sprintf("at line %d, byte %d", line, at-bytes.LastIndexByte(data[:at], '\n'))
	}
	return fmt.Errorf("not JSON: %s stands %s, %s, in %s", character(data[at:]), where, must, excerpt(data))
}

// character is the first of a text, as it can be shown.
func character(text []byte) string {
	for _, first := range string(text[:min(len(text), 4)]) {
		return fmt.Sprintf("%q", first)
	}
	return "nothing"
}

// excerpt is the beginning of a text, on one line.
func excerpt(data []byte) string {
	data = bytes.TrimSpace(data)
	return plain.Cut(plain.Text(string(data[:min(len(data), shown+utf8.UTFMax)])), shown)
}

// typeWord is what JSON calls a kind of Go's, with its article.
func typeWord(kind string) string {
	switch kind {
	case "map", "struct":
		return "an object"
	case "slice", "array":
		return "a list"
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	}

	return "a number"
}

// article puts one before what encoding/json calls a value.
func article(value string) string {
	switch value {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	return "a " + value
}
