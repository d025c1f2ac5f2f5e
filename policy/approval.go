package policy

// AsksApproval says that an operator is asked before a retraining goes out.
func (p *Policy) AsksApproval() bool { return p.Approval != nil && p.Approval.Required }

// ApprovesByItself says that a trigger which waits goes out without anybody's word.
func (p *Policy) ApprovesByItself() bool {
	return !p.AsksApproval() || p.Approval.OnTimeout == ApproveOnTimeout
}
