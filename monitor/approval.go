package monitor

// asks says that an operator is asked before a retraining goes out.
func (p *Policy) asks() bool { return p.Approval != nil && p.Approval.Required }

// approvesByItself says that a trigger which waits goes out without anybody's word.
func (p *Policy) approvesByItself() bool {
	return !p.asks() || p.Approval.OnTimeout == ApproveOnTimeout
}
