package metric

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// Bounds of what a name may hold, in bytes. They keep the state of a monitor
// within its bound, however long it lives.
const (
	MaxModelNameBytes    = 200
	MaxModelVersionBytes = 200
	MaxNameBytes         = 100
)

// isName says whether CheckName finds nothing wrong with a name.
func isName(name string, min, max int) bool {
	return len(name) >= min && len(name) <= max && utf8.ValidString(name)
}

// CheckName says what is wrong with a name of at least min and at most max bytes.
func CheckName(name string, min, max int) error {
	switch {
	case len(name) < min:
		return fmt.Errorf("must be %d to %d bytes of UTF-8, is missing or empty", min, max)
	case len(name) > max:
		return fmt.Errorf("must be %d to %d bytes of UTF-8, got %d bytes", min, max, len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("must be %d to %d bytes of UTF-8, got %q", min, max, plain.Cut(name, 40))
	}
	return nil
}

// isValue says whether CheckValue finds nothing wrong with a category's value.
func isValue(value string) bool {
	return isName(value, 1, maxValueBytes) && !strings.ContainsAny(value, lineEnds)
}

// CheckValue says what is wrong with a value of a category: it must be 1 to 200 bytes
// of UTF-8 on one line.
func CheckValue(value string) error {
	err := CheckName(value, 1, maxValueBytes)
	if err == nil && strings.ContainsAny(value, lineEnds) {
		err = fmt.Errorf("must be one line, got %q", plain.Cut(value, 40))
	}
	return err
}

// lineEnds are the characters that end a line.
const lineEnds = "\n\v\f\r\u0085\u2028\u2029"
