package policy

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// Duration is a time.Duration that reads and writes as Go's text, "1h30m".
type Duration time.Duration

// String returns Go's text with zero units cut off: "1h", not "1h0m0s".
func (d Duration) String() string {
	text := time.Duration(d).String()
	if n := len(text); n > 2 && text[n-2:] == "0s" && text[n-3] == 'm' {
		text = text[:n-2]
		if n := len(text); n > 2 && text[n-2:] == "0m" && text[n-3] == 'h' {
			text = text[:n-2]
		}
	}
	return text
}

// MarshalJSON writes the duration as a string, "1h30m".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a duration from a string of Go's form.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf(`must be a duration such as "90s" or "1h30m", got %s`, plain.Cut(string(data), 40))
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf(`must be a duration such as "90s" or "1h30m", got %q`, plain.Cut(text, 40))
	}
	*d = Duration(parsed)
	return nil
}
