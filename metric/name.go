package metric

import (
	"fmt"
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

// isName says whether checkName finds nothing wrong with a name.
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
