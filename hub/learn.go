package hub

import (
	"context"
	"reflect"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/internal/tripwire"
)

// The pauses between questions that breaches give rise to: each is twice the one
// before, while the answer stays the same.
const (
	firstQuestion   = time.Second
	longestQuestion = time.Minute
)

// curiosity paces the questions about what breaches lead to.
type curiosity struct {
	next  time.Time // when the next one may be asked
	pause time.Duration
}

func (c *curiosity) asked(now time.Time) {
	if now.Sub(c.next) > longestQuestion { // there was no breach for long
		c.pause = 0
	}
	c.pause = min(max(2*c.pause, firstQuestion), longestQuestion)
	c.next = now.Add(c.pause)
}

// asks says that guidance is asked for after a batch that a run of the monitor took. A
// run that hands on has something new to say, or is as old as a run gets. That costs
// nothing to notice; what nobody tells is asked after a while. p.mu is held.
func (p *pipe) asks(run string, now time.Time) bool {
	switch {
	case p.learnt.IsZero(), run != p.learntFrom, now.Sub(p.learnt) > p.guidance.Age():
		return true
	case p.isBreach: // what has it led to?
		return !now.Before(p.curiosity.next)
	}
	return false
}

// wonder asks whether breaches are urgent again where nobody can tell when they will
// be: the monitor is paused, or waits for an approval or for its retraining. It returns
// how long there is nothing to ask. p.mu is held.
func (p *pipe) wonder(ctx context.Context, now time.Time) time.Duration {
	if !p.isCalm || !p.urgent.Load() || p.guidance.Phase == contract.PhaseCoolingDown || p.asking || p.closing {
		return time.Hour
	}

	next := p.curiosity.next
	if end := p.guidance.CooldownUntil; end.After(p.learnt) && end.Before(next) {
		next = end
	}
	if next.After(now) {
		return next.Sub(now)
	}

	p.learn(ctx, p.learntFrom, now)
	return time.Hour
}

// learn asks the monitor for guidance, aside, so that no batch waits for it. run is the
// one that was heard of last. p.mu is held.
func (p *pipe) learn(ctx context.Context, run string, now time.Time) {
	if p.asking {
		return
	}

	p.asking = true
	p.learnt = now
	p.curiosity.asked(now)
	p.hub.work.Go(func() {
		guidance, err := p.hub.ask(ctx, p.account, p.model)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asking = false
		p.nudge()
		if err != nil {
			p.hub.log.Debug("no guidance from the monitor", "model_name", p.model, "error", err)
			return
		}

		p.learntFrom = run
		p.follow(guidance, p.hub.now())
	})
}

// follow takes guidance. p.mu is held.
func (p *pipe) follow(guidance contract.Guidance, now time.Time) {
	p.align(now)
	periods := newPeriods(guidance)
	areOther := p.fold.setWanted(newWanted(&guidance))
	p.fold.setPeriods(periods)
	if areOther || !reflect.DeepEqual(periods.grids, p.periods.grids) {
		p.cut(now) // before they hold: what was folded until now may cross them
	}
	if guidance.Phase != p.guidance.Phase || !guidance.CooldownUntil.Equal(p.guidance.CooldownUntil) {
		p.curiosity = curiosity{next: now.Add(firstQuestion), pause: firstQuestion}
	}

	p.guidance = guidance
	p.periods = periods
	p.calmUntil = time.Time{}
	if now.Before(guidance.CooldownUntil) {
		p.calmUntil = guidance.CooldownUntil
	}

	p.tripwire.Store(tripwire.New(guidance.Rules))
	p.isCalm = isCalm(guidance, now)
	if p.isCalm {
		p.urgent.Store(false)
		p.hastens = false
	}
	p.setBoundary(now)
}

// isCalm says that breaches trigger nothing at present, so none is urgent.
func isCalm(g contract.Guidance, now time.Time) bool {
	return g.Phase != contract.PhaseWatching && (g.Phase != contract.PhaseCoolingDown || now.Before(g.CooldownUntil))
}
