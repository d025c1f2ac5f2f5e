package whatif

import (
	"time"

	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows"
)

// DecideLife answers a question about a life that play leads, which it does twice,
// without a history: its tasks are begun when they are due.
func DecideLife(q Question, from, until time.Time, play func(workflows.Follower) error) (Answer, error) {
	return decide(q, func(l *life) error {
		l.from = from
		l.begins = from
		l.closed = until
		l.due = map[int64]time.Time{}
		err := play(func(now time.Time, machine *monitor.Machine, given workflows.Given) {
			l.due[now.UnixNano()] = now
			l.follow(now, machine, given)
		})
		if err != nil {
			return err
		}
		return l.err
	})
}
