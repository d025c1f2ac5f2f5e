package monitor

import (
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// Reinstate puts the policy in force by which an earlier monitor watched the model,
// before the new one has judged anything; from says whose it was. The policy must be
// valid. The one that is in force already is no change.
func (m *Machine) Reinstate(now time.Time, wanted policy.Policy, from string) {
	wanted = wanted.WithDefaults()
	if wanted.Equal(m.state.Policy) {
		return
	}

	m.state.Policy = wanted
	m.state.Calendar = nil
	m.compile()
	m.decide(Decision{At: m.clock(now), Kind: policy.PolicyChanged, Reason: from})
}
