package metric

import (
	"bytes"
	"encoding/json"
)

// Optional is a value that may be absent. Its zero value is absent, which is
// not the same as a present zero: a reading that was not taken is not 0, and a
// cooldown that was left out is not "no cooldown".
//
// In JSON it is the value itself or, when absent, left out (tag the field
// `omitzero`); null reads as absent.
type Optional[T any] struct {
	value   T
	present bool
}

// Some returns a present value.
func Some[T any](value T) Optional[T] { return Optional[T]{value: value, present: true} }

// FromPointer returns what a pointer points to; absent where it is nil.
func FromPointer[T any](value *T) Optional[T] {
	if value == nil {
		return Optional[T]{}
	}
	return Some(*value)
}

// Get returns the value and whether it is present.
func (o Optional[T]) Get() (T, bool) { return o.value, o.present }

// Value returns the value, or the zero value when it is absent.
func (o Optional[T]) Value() T { return o.value }

// Or returns the value, or fallback when it is absent.
func (o Optional[T]) Or(fallback T) T {
	if o.present {
		return o.value
	}
	return fallback
}

// Pointer is the value where it is present, and nil where it is not.
func (o Optional[T]) Pointer() *T {
	if !o.present {
		return nil
	}
	return &o.value
}

// IsZero reports absence; it is what encoding/json's omitzero asks.
func (o Optional[T]) IsZero() bool { return !o.present }

// MarshalJSON writes the value, or null when it is absent.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.present {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON reads a value; null leaves it absent.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	*o = Optional[T]{}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(data, &o.value); err != nil {
		return err
	}
	o.present = true
	return nil
}
