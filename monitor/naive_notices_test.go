package monitor_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// settled says which kinds of decision another one settles: the page on
// notifications has it as sentences.
var settled = map[policy.Kind][]policy.Kind{
	"accepted": {"triggered", "failed", "timed_out", "held"}, "succeeded": {"triggered", "failed", "timed_out", "held"},
	"failed": {"triggered"}, "timed_out": {"triggered"}, "cancelled": {"triggered", "held"},
	"approved": {"awaiting_approval"}, "approval_rejected": {"awaiting_approval"},
	"verified": {"regressed"}, "resumed": {"paused", "circuit_opened"},
	"stopped": {"awaiting_approval", "failed", "timed_out", "held", "regressed", "paused", "circuit_opened"},
}

// notify makes the notices of a decision before it is in the log. Of what comes in
// rows the first is told.
func (n *naive) notify(d monitor.Decision) {
	if n.policy.Notify == nil || isRepeatable(d) && n.hasBegun(d) {
		return
	}
	for _, to := range n.policy.Notify {
		kinds := to.Kinds
		if kinds == nil {
			kinds = []policy.Kind{"triggered", "awaiting_approval", "failed", "timed_out", "regressed", "circuit_opened"}
		}
		var ends []policy.Kind
		for _, kind := range settled[d.Kind] {
			if slices.Contains(kinds, kind) {
				ends = append(ends, kind)
			}
		}
		isAsked := slices.Contains(kinds, d.Kind)
		if !isAsked && ends == nil {
			continue
		}
		count := &n.counters.Notices
		count.Requested++
		notice := monitor.Notice{
			ID: fmt.Sprintf("%s/notice/%d", requestBase, count.Requested), Channel: to.Channel, ModelName: "fraud", Team: n.policy.Team,
			Decision: d, Ends: ends, OnlyEnds: !isAsked,
		}
		if d.Kind == policy.AwaitingApproval {
			notice.Until = n.pending.Until
		}
		if n.notices = append(n.notices, notice); len(n.notices) > 50 {
			n.notices = n.notices[1:]
			count.Failed++
			count.LastFailure = "more than 50 wait"
		}
	}
}

// hasBegun says that the log has an entry of the row that a decision belongs to.
func (n *naive) hasBegun(d monitor.Decision) bool {
	for _, before := range slices.Backward(n.log()) {
		switch {
		case !isRepeatable(before):
			return false
		case before.Kind == d.Kind && before.SuppressedBy == d.SuppressedBy && (d.Kind == policy.Suppressed || before.Rule == d.Rule):
			return true
		}
	}
	return false
}

// noticeTold says that a channel was told of the oldest notice, or why it can't be.
func (n *naive) noticeTold(fault string) {
	if len(n.notices) == 0 {
		return
	}
	notice := n.notices[0]
	n.notices = n.notices[1:]
	if fault == "" {
		n.counters.Notices.Delivered++
		return
	}
	n.counters.Notices.Failed++
	n.counters.Notices.LastFailure = notice.Channel + ": " + fault
}

// noticesUntil is until when a monitor that stops waits for its last notices; zero
// where it waits for none.
func (n *naive) noticesUntil() (until time.Time) {
	if n.stopped != nil && len(n.notices) > 0 {
		until = n.stopped.At.Add(30 * time.Second)
	}
	return until
}
