// Package clock compares instants.
package clock

import "time"

// Earlier returns the earlier of two instants.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Later returns the later of two instants.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Plain returns an instant without what does not survive JSON, so that a state which
// is written down and read again is the same.
func Plain(at time.Time) time.Time { return at.Round(0).UTC() }
