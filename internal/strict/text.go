package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// TextOrNumber is what people write for a version: a text, or a number, which is kept
// as it is written. null is none. A truth value, a list or an object is refused.
type TextOrNumber string

// UnmarshalJSON reads either.
func (t *TextOrNumber) UnmarshalJSON(data []byte) error {
	switch {
	case len(data) > 0 && data[0] == '"', string(data) == "null":
		return json.Unmarshal(data, (*string)(t))
	case len(data) > 0 && (data[0] == '-' || data[0] >= '0' && data[0] <= '9'):
		*t = TextOrNumber(data)
		return json.Unmarshal(data, new(float64))
	}

	return fmt.Errorf("must be a string or a number, got %s", kindOf(data))
}

// kindOf puts what a JSON value is into words.
func kindOf(data []byte) string {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return "nothing"
	case data[0] == '{':
		return "an object"
	case data[0] == '[':
		return "a list"
	case data[0] == '"':
		return "a string"
	case data[0] == 't', data[0] == 'f':
		return "true or false"
	case data[0] == 'n':
		return "null"
	}

	return "a number"
}
