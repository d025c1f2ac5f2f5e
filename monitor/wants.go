package monitor

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/policy"
)

// Wants is what the machine wants done and isn't yet, as far as it can know. It
// is derived from the state, so a new run derives it again; the shell compares
// it with what it has under way.
type Wants struct {
	Schedule *Flight      // ask the backend for this retraining, until its Deadline
	Await    *Flight      // follow this one to its outcome, until its Deadline
	Cancel   []Cancelling // tell the backend to end these
	Notices  []Notice     // tell the channels
	Wakes    []Wake       // call Tick then; a wake that comes early is armed again
	Done     bool         // nothing is left to do: end the monitor
}

// Wake is a durable timer.
type Wake struct {
	At      time.Time
	Summary string // for whoever looks at the timer
}

// Wants returns what is to be done as of now.
func (m *Machine) Wants(now time.Time) Wants {
	wants := Wants{Cancel: m.state.Cancelling, Notices: m.state.Notices}
	flight := m.state.Flight
	switch {
	case flight == nil:
		wants.Done = m.state.Stop != nil && len(m.state.Cancelling) == 0 && !m.state.awaitsNotices(now)
	case flight.Job == nil && now.Before(flight.FrozenUntil):
	case flight.Job == nil:
		wants.Schedule = flight
	default:
		wants.Await = flight
	}

	if !wants.Done {
		m.wakes(now, m.watch.NextDatapoint(), func(what string, at time.Time) {
			wants.Wakes = append(wants.Wakes, Wake{at, wakeSummary(what, m.state.ModelName, at, now)})
		})
	}

	return wants
}

// wakeSummary says what ends then: `cooldown of fraud until 14:05 UTC`, with the
// date where it is not today.
func wakeSummary(what, modelName string, until, now time.Time) string {
	format := "15:04 UTC"
	if until.UTC().Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		format = "2006-01-02 15:04 UTC"
	}
	return fmt.Sprintf("%s of %s until %s", what, plain.Cut(modelName, policy.MaxTextBytes), until.UTC().Format(format))
}
