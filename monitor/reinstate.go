package monitor

import "time"

// Reinstate puts the policy in force by which an earlier monitor watched the model,
// before the new one has judged anything; from says whose it was. The policy must be
// valid. The one that is in force already is no change.
func (m *Machine) Reinstate(now time.Time, policy Policy, from string) {
	policy = policy.WithDefaults()
	if policy.equal(m.state.Policy) {
		return
	}

	m.state.Policy = policy
	m.state.Calendar = nil
	m.compile()
	m.decide(Decision{At: m.clock(now), Kind: PolicyChanged, Reason: from})
}
