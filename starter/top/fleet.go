// Package top is a live view of a fleet of monitors in a terminal. The list comes
// from visibility, however many models there are; only the models on the screen
// are asked for what they measure.
package top

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/fleet"
)

// Fleet is what the view looks at, and by which it steers.
type Fleet interface {
	// List returns one row per model whose monitor runs, and the freezes in force.
	List(ctx context.Context) ([]Row, []fleet.Freeze, error)
	// Status asks one monitor.
	Status(ctx context.Context, model string) (monitor.Status, error)
	// Control sends an operator's word, and returns what it has done.
	Control(ctx context.Context, model, update string, control monitor.Control) (string, error)
}

// Row is one model, as visibility knows it.
type Row struct {
	ModelName string    `json:"model_name"`
	Started   time.Time `json:"started"`
	monitor.Glance
}

// phase is what a row says its model does: why a retraining waits, or the phase.
func (r *Row) phase() string {
	return strings.ReplaceAll(cmp.Or(r.Waits, string(r.Phase), "unknown"), "_", " ")
}

// cooldownLeft is the time to the cooldown's end; zero outside of one.
func (r *Row) cooldownLeft(now time.Time) time.Duration { return max(0, r.CooldownUntil.Sub(now)) }

func (r *Row) lastAt() time.Time {
	if r.Last == nil {
		return time.Time{}
	}
	return r.Last.At
}

// Order is what rows are sorted by.
type Order string

// The orders. Of equal rows the model's name decides.
const (
	ByModel    Order = "model"
	ByPhase    Order = "phase" // what wants somebody first
	ByTeam     Order = "team"
	ByLast     Order = "last" // the latest decision first
	ByCooldown Order = "cooldown"
)

// Orders are all of them.
func Orders() []Order { return []Order{ByPhase, ByModel, ByTeam, ByLast, ByCooldown} }

// urgency orders phases by how much they want somebody.
var urgency = map[string]int{
	string(contract.PhaseAwaitingApproval): 1, monitor.HeldFreeze: 2, monitor.Queued: 3, string(contract.PhaseRetraining): 4,
	string(contract.PhasePaused): 5, string(contract.PhaseStopping): 6, string(contract.PhaseCoolingDown): 7, string(contract.PhaseWatching): 8,
}

// Sort orders rows.
func Sort(rows []Row, by Order, reverse bool) {
	slices.SortFunc(rows, func(a, b Row) int {
		order := 0
		switch by {
		case ByModel:
			order = cmp.Compare(a.ModelName, b.ModelName)
		case ByPhase:
			order = cmp.Compare(urgency[cmp.Or(a.Waits, string(a.Phase))], urgency[cmp.Or(b.Waits, string(b.Phase))])
		case ByTeam:
			order = cmp.Compare(a.Team, b.Team)
		case ByLast:
			order = b.lastAt().Compare(a.lastAt())
		case ByCooldown:
			order = a.CooldownUntil.Compare(b.CooldownUntil)
		}

		if reverse {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.ModelName, b.ModelName))
	})
}

// Filter returns the rows of which the model, team, phase, version, backend or last
// decision contain every word, whatever their case.
func Filter(rows []Row, words string) []Row {
	wanted := strings.Fields(strings.ToLower(words))
	if len(wanted) == 0 {
		return slices.Clone(rows)
	}

	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		text := r.ModelName + "\n" + r.Team + "\n" + r.phase() + "\n" + string(r.Phase) + "\n" + r.ModelVersion + "\n" + r.Backend
		if r.Last != nil {
			text += "\n" + string(r.Last.Kind)
		}
		text = strings.ToLower(text)
		return slices.ContainsFunc(wanted, func(word string) bool { return !strings.Contains(text, word) })
	})
}

// counts are how many rows there are of each phase, the most urgent first.
func counts(rows []Row) (phases []string, number map[string]int) {
	number = map[string]int{}
	urgent := map[string]int{}
	for i := range rows {
		phase := rows[i].phase()
		number[phase]++
		urgent[phase] = urgency[cmp.Or(rows[i].Waits, string(rows[i].Phase))]
	}
	for phase := range number {
		phases = append(phases, phase)
	}
	slices.SortFunc(phases, func(a, b string) int { return cmp.Or(cmp.Compare(urgent[a], urgent[b]), cmp.Compare(a, b)) })
	return phases, number
}
