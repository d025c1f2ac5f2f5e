package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor/retraining"
	"github.com/modelvigil/modelvigil/policy"
)

// next is the earliest instant, after it last looked, at which time alone changes
// something; zero where there is none.
func (n *naive) next() (next time.Time) {
	consider := func(at time.Time) {
		if at.After(n.looked) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if n.flight != nil {
		consider(n.flight.Deadline)
		consider(n.flight.FrozenUntil)
	}
	if n.stopped != nil {
		if n.flight == nil && len(n.cancelling) == 0 && !n.looked.Before(n.noticesUntil()) {
			return time.Time{} // it has ended
		}
		consider(n.noticesUntil())
		return next
	}
	consider(n.cooldownUntil())
	consider(n.budgetUntil())
	if n.pending != nil {
		consider(n.answeredAt(n.looked))
	}
	if n.verification != nil {
		consider(n.verification.Until)
	}
	for _, v := range n.versions {
		for name, l := range v.ledgers {
			r := n.rule(name)
			if !r.Period.IsZero() {
				if start, comes := n.nextPeriod(r, v, l); comes {
					consider(dueOf(r, start))
				}
			}
			if l.deferred {
				consider(n.blackoutEnd(n.looked))
			}
		}
	}
	for i := range n.policy.Rules {
		if r := &n.policy.Rules[i]; !r.MaxAge.IsZero() || !r.SilentFor.IsZero() {
			consider(n.ageDue(r))
			if v := n.versions[n.latest]; v != nil && n.mayAct(r, n.looked) && n.heldBackBy(n.looked, v, n.looked.Before) == "blackout" {
				consider(n.blackoutEnd(n.looked))
			}
			if a := n.ages[r.Name]; a != nil && a.acted.After(n.cooldownFrom()) { // what it led to never went out
				consider(a.acted.Add(n.cooldown()))
			}
		}
	}
	return next
}

// phase is the first that holds.
func (n *naive) phase(now time.Time) contract.Phase {
	switch {
	case n.stopped != nil:
		return "stopping"
	case n.paused != nil:
		return "paused"
	case n.pending != nil:
		return "awaiting_approval"
	case n.flight != nil:
		return "retraining"
	case now.Before(n.cooldownUntil()):
		return "cooling_down"
	}
	return "watching"
}

// cooldownUntil is the first instant at which a breach triggers again.
func (n *naive) cooldownUntil() time.Time {
	from := n.cooldownFrom()
	if from.IsZero() {
		return from
	}
	return from.Add(n.cooldown())
}

// cooldownFrom is the last trigger, or, in a dry run, the last that was held.
func (n *naive) cooldownFrom() time.Time {
	if n.policy.DryRun && n.lastHeld.After(n.lastTrigger) {
		return n.lastHeld
	}
	return n.lastTrigger
}

// budgetUntil is the first instant at which fewer retrainings went out, in the time
// before it, than the budget allows; zero where there always were.
func (n *naive) budgetUntil() (until time.Time) {
	b := n.policy.Budget
	if b == nil {
		return until
	}
	all := slices.Clone(n.wentOut)
	if n.policy.DryRun {
		all = append(all, n.heldAt...)
	}
	for _, freed := range all {
		lately := 0
		for _, at := range all {
			if !at.Before(freed) {
				lately++
			}
		}
		if end := freed.Add(time.Duration(b.Per)); lately >= b.Retrainings && end.After(until) {
			until = end
		}
	}
	return until
}

// budget is what a status shows of it.
func (n *naive) budget(now time.Time) *retraining.BudgetStatus {
	b := n.policy.Budget
	if b == nil {
		return nil
	}
	shown := &retraining.BudgetStatus{Budget: *b}
	all := slices.Clone(n.wentOut)
	if n.policy.DryRun {
		all = append(all, n.heldAt...)
	}
	for _, at := range all {
		if now.Sub(at) < time.Duration(b.Per) {
			shown.Used++
		}
	}
	if until := n.budgetUntil(); now.Before(until) {
		shown.Until = until
	}
	return shown
}

func (n *naive) cooldown() time.Duration {
	return time.Duration(n.policy.Cooldown.Or(policy.Duration(time.Hour)))
}

// blackoutEnd is when the blackout that is on at an instant ends, and all that
// begin before it has; zero where none is.
func (n *naive) blackoutEnd(at time.Time) (end time.Time) {
	for ends := n.blackoutAt(at); !ends.IsZero(); ends = n.blackoutAt(end) {
		end = ends
	}
	return end
}

func (n *naive) isBlackout(at time.Time) bool { return !n.blackoutAt(at).IsZero() }

// blackoutAt is the end of some blackout that is on at an instant. Scripts have
// zones whose clocks never change.
func (n *naive) blackoutAt(at time.Time) (end time.Time) {
	for i := range n.policy.Blackout {
		b := &n.policy.Blackout[i]
		wall := at.In(zones[b.Zone])
		minute := wall.Format("15:04")
		begins := func(day time.Time) bool {
			return b.Days == "" || slices.Contains(strings.Split(b.Days, ","), strings.ToLower(day.Format("Mon")))
		}
		isToday := b.From <= minute && (minute < b.To || b.To < b.From) && begins(wall)
		isSinceYesterday := b.To < b.From && minute < b.To && begins(wall.AddDate(0, 0, -1))
		if !isToday && !isSinceYesterday {
			continue
		}
		var hour, minutes int
		_, _ = fmt.Sscanf(b.To, "%d:%d", &hour, &minutes)
		day := wall.Day()
		if isToday && b.To < b.From {
			day++
		}
		return time.Date(wall.Year(), wall.Month(), day, hour, minutes, 0, 0, wall.Location()).UTC()
	}
	return end
}

// zones are those of scripts.
var zones = map[string]*time.Location{"": time.UTC, "Asia/Kolkata": time.FixedZone("IST", 5*3600+1800)}
