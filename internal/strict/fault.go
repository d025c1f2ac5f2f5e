package strict

import (
	"errors"
	"fmt"
)

// maxFaults is how many faults of one object are named. The others are counted: an
// object of megabytes could have hundreds of thousands.
const maxFaults = 10

// Faults gathers the faults of one object, each with the path of its field, and
// keeps the first maxFaults.
type Faults struct {
	named []error
	more  int
}

// Add takes a fault below a path; nil is none. A fault that is made of several
// counts as each of them.
func (l *Faults) Add(path string, fault error) {
	switch several := any(fault).(type) {
	case nil:
	case *manyFaults:
		for _, one := range several.named {
			l.Add(path, one)
		}
		l.more += several.more
	case interface{ Unwrap() []error }:
		for _, one := range several.Unwrap() {
			l.Add(path, one)
		}
	default:
		l.keep(path, fault)
	}
}

func (l *Faults) keep(path string, fault error) {
	if len(l.named) >= maxFaults {
		l.more++
		return
	}
	l.named = append(l.named, At(path, fault))
}

// IsFull says that further faults are only counted, so that nobody needs to find
// words for them.
func (l *Faults) IsFull() bool { return len(l.named) >= maxFaults }

// Err is all faults as one error, or nil.
func (l *Faults) Err() error {
	switch {
	case len(l.named) == 0:
		return nil
	case l.more == 0:
		return errors.Join(l.named...)
	}
	return &manyFaults{named: l.named, more: l.more}
}

// manyFaults are more faults than are named.
type manyFaults struct {
	named []error
	more  int
}

func (m *manyFaults) Error() string {
	return fmt.Sprintf("%v\nand %d faults more", errors.Join(m.named...), m.more)
}

// Unwrap returns those that are named.
func (m *manyFaults) Unwrap() []error { return m.named }
