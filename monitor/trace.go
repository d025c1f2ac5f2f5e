package monitor

import "github.com/modelvigil/modelvigil/policy"

// cause is the trace of the decision that another one follows from, or "".
func (m *Machine) cause(d *Decision) string {
	if d.RequestID != "" {
		if trace := m.TraceOf(d.RequestID); trace != "" {
			return trace
		}
	}

	log := m.state.Decisions
	for i := len(log) - 1; i >= 0; i-- {
		switch before := &log[i]; {
		case d.Kind == policy.Triggered && before.Kind == policy.Approved && i == len(log)-1,
			(d.Kind == policy.Approved || d.Kind == policy.ApprovalRejected) && before.Kind == policy.AwaitingApproval:
			return before.Trace
		}
	}

	return ""
}

// TraceOf is the trace of the latest decision about a retraining, or "" where the
// log has none.
func (m *Machine) TraceOf(requestID string) string {
	for i := len(m.state.Decisions) - 1; i >= 0; i-- {
		if d := &m.state.Decisions[i]; d.RequestID == requestID && d.Trace != "" {
			return d.Trace
		}
	}
	return ""
}
