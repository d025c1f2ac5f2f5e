package hub

import (
	"errors"
	"fmt"
)

// Enrolment says what the first event of a model does that has no monitor.
type Enrolment string

// The enrolments; empty is EnrolRetrain.
const (
	EnrolRetrain Enrolment = "retrain" // start a monitor with the default policy, or the one that its last monitor had
	EnrolObserve Enrolment = "observe" // likewise, but with the default policy as a dry run
	EnrolRefuse  Enrolment = "refuse"  // nothing: the events are lost, and Flush says so with ErrNotEnrolled
)

// ErrNotEnrolled is what a publisher is told with EnrolRefuse when its model has
// no monitor. errors.Is finds it through whatever wraps it.
var ErrNotEnrolled = errors.New("not enrolled")

// Validate says whether e is one of the enrolments.
func (e Enrolment) Validate() error {
	switch e {
	case "", EnrolRetrain, EnrolObserve, EnrolRefuse:
		return nil
	}
	return fmt.Errorf("enrolment: must be %s, %s or %s, got %q", EnrolRetrain, EnrolObserve, EnrolRefuse, string(e))
}

// UnmarshalText reads an enrolment from a setting or a flag.
func (e *Enrolment) UnmarshalText(text []byte) error {
	read := Enrolment(text)
	if err := read.Validate(); err != nil {
		return err
	}
	*e = read
	return nil
}

// MarshalText is the reverse of UnmarshalText.
func (e Enrolment) MarshalText() ([]byte, error) { return []byte(e), nil }
