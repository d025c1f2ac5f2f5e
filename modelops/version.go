package modelops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

const maxVersionBytes = 200

// Version reads the model version that a backend's answer holds in JSON: a text, or a
// number, which is kept as it is written; null and nothing are none, "". A list, an
// object and a truth value are refused, also where the text is JSON of its own, as some
// backends encode what they keep.
func Version(value json.RawMessage) (string, error) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "", nil
	}

	var version strict.TextOrNumber
	if err := version.UnmarshalJSON(value); err != nil {
		return "", fmt.Errorf("model_version: %w", err)
	}
	return VersionInText(string(version))
}

// VersionInText is Version of a place that holds texts only, such as an annotation. A
// text of digits is a version whatever number it would be: `1234e567` is a commit.
func VersionInText(text string) (string, error) {
	text = strings.TrimSpace(text)
	version := strict.TextOrNumber(text)
	if json.Valid([]byte(text)) && strings.ContainsAny(text[:1], `"[{tfn`) {
		version = ""
		if err := version.UnmarshalJSON([]byte(text)); err != nil {
			return "", fmt.Errorf("model_version: %w", err)
		}
	}

	text = strings.TrimSpace(string(version))
	if err := ValidateVersion(text); err != nil {
		return "", err
	}
	return text, nil
}

// WithVersion is an outcome that made a model version, as Version or VersionInText
// read it. One that is none costs nothing but itself: the message says that it is
// passed over.
func (o Outcome) WithVersion(version string, err error) Outcome {
	if err != nil {
		version = ""
		o.Message = strings.TrimSpace(fmt.Sprintf("%s (passed over: %v)", o.Message, err))
	}
	o.ModelVersion = version
	return o
}

// ValidateVersion says what is wrong with the model version that an outcome names;
// none, "", is fine.
func ValidateVersion(version string) error {
	switch {
	case len(version) > maxVersionBytes:
		return fmt.Errorf("model_version: must be 0 to %d bytes of UTF-8, got %d bytes", maxVersionBytes, len(version))
	case !utf8.ValidString(version):
		return fmt.Errorf("model_version: must be 0 to %d bytes of UTF-8, got %q", maxVersionBytes, plain.Excerpt(version, 40))
	}
	return nil
}
