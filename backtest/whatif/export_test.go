package whatif

import (
	"time"

	"go.temporal.io/sdk/interceptor"

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

// Following is the interceptor by which a monitor is followed.
func Following(follow workflows.Follower) interceptor.WorkerInterceptor {
	return &following{follow: follow}
}

// IsAnswer says that an event is written together with those before it.
var IsAnswer = isAnswer
