package strict

import (
	"bytes"
	"encoding/json"
)

// Equal says that two values are the same as JSON, in which a round trip changes nothing.
func Equal(a, b any) bool {
	left, err1 := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(left, right)
}
