package journal

import "github.com/modelvigil/modelvigil/policy"

// cause is the trace of the decision that another one follows from, or "".
func (j *Journal) cause(d *Decision) string {
	if d.RequestID != "" {
		if trace := j.TraceOf(d.RequestID); trace != "" {
			return trace
		}
	}

	log := j.entries.Decisions
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
func (j *Journal) TraceOf(requestID string) string {
	for i := len(j.entries.Decisions) - 1; i >= 0; i-- {
		if d := &j.entries.Decisions[i]; d.RequestID == requestID && d.Trace != "" {
			return d.Trace
		}
	}
	return ""
}
