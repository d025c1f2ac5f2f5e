package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor/watch"
)

// LackingBounds are the features of a drift rule whose bounds are to be found.
type LackingBounds = watch.LackingBounds

// BoundsWanted are the bounds of drift rules that are to be found outside and handed to
// SetBounds: by simulations that take longer than a decision may. Until then what they
// bound is unknown.
func (m *Machine) BoundsWanted() []LackingBounds {
	if m.state.Stop != nil {
		return nil
	}
	return m.watch.Lacking()
}

// SetBounds takes the bounds of features, in their order.
func (m *Machine) SetBounds(lacking *LackingBounds, bounds []drift.Bounds) {
	m.watch.SetBounds(lacking, bounds)
}

// Profiled is what drift rules have learnt of one model version, the answer to the
// `profile` query.
type Profiled = watch.Profiled

// ProfileAsked is the argument of the `profile` query, which may be left out.
type ProfileAsked struct {
	ModelVersion *string `json:"model_version,omitempty"` // default the one heard of last
}

// Profile is what drift rules have learnt of the readings of a model version, as other
// versions may be held against it. The error says what is missing, and what to do.
func (m *Machine) Profile(asked ProfileAsked) (Profiled, error) {
	return m.watch.Profile(asked.ModelVersion)
}

// FindBounds finds the bounds that what is due by now is judged by, before Tick judges
// it: what is found are some of those that BoundsWanted asks for.
func (m *Machine) FindBounds(now time.Time, find func(null *drift.Null, size int64) drift.Bounds) {
	m.watch.FindBounds(clock.Plain(now), find)
}
