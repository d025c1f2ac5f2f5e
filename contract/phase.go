package contract

// Phase is what a monitor is doing, derived from its state.
type Phase string

// The phases; the first that holds.
const (
	PhaseStopping         Phase = "stopping"          // ends when its retraining in flight is recorded
	PhasePaused           Phase = "paused"            // counts, but triggers nothing
	PhaseAwaitingApproval Phase = "awaiting_approval" // a trigger waits for an operator's word
	PhaseRetraining       Phase = "retraining"        // a retraining is in flight
	PhaseCoolingDown      Phase = "cooling_down"      // less than the cooldown since the last trigger
	PhaseWatching         Phase = "watching"
)

// Phases are all phases, the first that holds first.
func Phases() []Phase {
	return []Phase{PhaseStopping, PhasePaused, PhaseAwaitingApproval, PhaseRetraining, PhaseCoolingDown, PhaseWatching}
}
