package metric

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
)

const (
	// MaxValues is how many values of one category a digest counts by name: its most
	// frequent ones. The rest is counted together.
	MaxValues = 100
	// maxFoldedValues is how many are told apart while a digest is folded, so that one
	// that begins rare may still become frequent.
	maxFoldedValues = 2 * MaxValues
	// valueBytes is what a value takes in memory beside its text.
	valueBytes = 64
)

// Values are the readings of one category in a digest: how often each of its most
// frequent values came, and how often all the others together did. However many
// values there are, it takes no more than some 200 of them take.
type Values struct {
	Counts map[string]int64 `json:"counts,omitempty"` // by value, each at least 1
	Other  int64            `json:"other,omitempty"`  // readings of values that are not among them
}

// Count is how many readings there were.
func (v *Values) Count() (total int64) {
	total = v.Other
	for _, count := range v.Counts { // in any order: it is a sum of integers
		total += count
	}
	return total
}

// Add counts a value that is valid, so many times, and returns by how much Bytes has
// grown: by less than nothing where a new value had others counted together. It allocates
// for a new value only.
func (v *Values) Add(value string, count int64) (grown int) {
	known, isKnown := v.Counts[value]
	if isKnown {
		v.Counts[value] = known + count
		return 0
	}

	if len(v.Counts) >= maxFoldedValues {
		grown = -v.Trim()
	}
	if v.Counts == nil {
		v.Counts = map[string]int64{}
	}
	v.Counts[value] = count
	return grown + valueBytes + len(value)
}

// Trim keeps the MaxValues most frequent values, of equally frequent ones those that
// are first by name, and counts the others together. It returns by how much Bytes has
// shrunk.
func (v *Values) Trim() (freed int) {
	if len(v.Counts) <= MaxValues {
		return 0
	}

	before := v.Bytes()
	kept := make(map[string]int64, MaxValues) // one that was full gives nothing back for what is deleted
	for i, value := range v.Frequent() {
		if i < MaxValues {
			kept[value] = v.Counts[value]
		} else {
			v.Other += v.Counts[value]
		}
	}

	v.Counts = kept
	return before - v.Bytes()
}

// Fit keeps the most frequent values whose names together take no more than so many
// bytes, and counts the others together.
func (v *Values) Fit(most int) {
	bytes := 0
	for value := range v.Counts { // in any order: it is a sum
		bytes += len(value)
	}
	if bytes <= most {
		return
	}

	bytes = 0
	for _, value := range v.Frequent() {
		bytes += len(value)
		if bytes > most {
			v.Other += v.Counts[value]
			delete(v.Counts, value)
		}
	}
}

// Frequent are the values, the most frequent first, of equally frequent ones the
// first by name.
func (v *Values) Frequent() []string {
	return slices.SortedFunc(maps.Keys(v.Counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(v.Counts[b], v.Counts[a]), cmp.Compare(a, b))
	})
}

// Merge adds the readings of another digest.
func (v *Values) Merge(other *Values) {
	v.Other += other.Other
	for _, value := range other.Frequent() {
		v.Add(value, other.Counts[value])
	}
}

// Clone returns a copy that shares nothing that changes.
func (v *Values) Clone() *Values {
	return &Values{Counts: maps.Clone(v.Counts), Other: v.Other}
}

// MarshalJSON writes what a digest may hold: the MaxValues most frequent values, and
// the others together.
func (v *Values) MarshalJSON() ([]byte, error) {
	type plainly Values
	if len(v.Counts) <= MaxValues {
		return json.Marshal((*plainly)(v))
	}
	trimmed := v.Clone()
	trimmed.Trim()
	return json.Marshal((*plainly)(trimmed))
}

// Bytes is how much memory the readings take, at most.
func (v *Values) Bytes() int {
	bytes := valueBytes
	for value := range v.Counts {
		bytes += valueBytes + len(value)
	}
	return bytes
}

// validate names the faults of readings in a digest of so many events.
func (v *Values) validate(events int64) error {
	if v == nil {
		return errors.New("must be an object, got null")
	}

	var faults strict.Faults
	if len(v.Counts) > MaxValues {
		faults.Add("counts", fmt.Errorf("must be of at most %d values, the others in other, got %d", MaxValues, len(v.Counts)))
		return faults.Err()
	}

	left := events
	for _, value := range slices.Sorted(maps.Keys(v.Counts)) {
		where := strict.Join("counts", plain.Cut(value, strict.MaxPathBytes))
		faults.Add(where, CheckValue(value))
		if count := v.Counts[value]; count < 1 || count > left {
			faults.Add(where, fmt.Errorf("must be at least 1, and with all others at most the %d events of the digest, got %d", events, count))
		} else {
			left -= count
		}
	}

	if v.Other < 0 || v.Other > left {
		faults.Add("other", fmt.Errorf("must be at least 0, and with all others at most the %d events of the digest, got %d", events, v.Other))
	}
	return faults.Err()
}

// isValid is whether validate finds no fault.
func (v *Values) isValid(events int64) bool {
	if v == nil || len(v.Counts) > MaxValues || v.Other < 0 || v.Other > events {
		return false
	}

	left := events - v.Other
	for value, count := range v.Counts {
		if !isValue(value) || count < 1 || count > left {
			return false
		}
		left -= count
	}
	return true
}
