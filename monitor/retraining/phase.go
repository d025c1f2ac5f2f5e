package retraining

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
)

// Phase returns the first phase that holds at now.
func (c *Course) Phase(now time.Time) contract.Phase {
	switch {
	case c.all.Stop != nil:
		return contract.PhaseStopping
	case c.all.Pause != nil:
		return contract.PhasePaused
	case c.all.Pending != nil:
		return contract.PhaseAwaitingApproval
	case c.all.Flight != nil:
		return contract.PhaseRetraining
	case now.Before(c.CooldownUntil()):
		return contract.PhaseCoolingDown
	}

	return contract.PhaseWatching
}
