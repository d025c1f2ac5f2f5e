package monitor_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
)

// lane is one of several machines that are given the same inputs.
type lane struct {
	name string
	m    *monitor.Machine
	// isCut says that its state goes through JSON at each input and at some wakes, as
	// by continue-as-new.
	isCut bool
	wakes int
	// isDisturbed says that it is woken at instants that it has not asked for, too.
	isDisturbed bool
	heard       []monitor.Decision
}

func (l *lane) hear(d monitor.Decision) { l.heard = append(l.heard, d) }

func (l *lane) cut(t require.TestingT) {
	state, err := monitor.DecodeState([]byte(encode(t, l.m.State())))
	require.NoError(t, err)
	l.m = monitor.Restore(state)
	listen(l.m, l.hear)
}

// tick does what the workflow does when a timer fires or inputs were taken.
func (l *lane) tick(t require.TestingT, now time.Time) {
	if l.wakes++; l.isCut && l.wakes%7 == 0 {
		l.cut(t)
	}
	if wanted, ok := l.m.CalendarWanted(now); ok {
		spans, err := monitor.BlackoutSpans(l.m.Blackouts(), wanted.From, wanted.Until)
		l.m.SetCalendar(now, wanted, spans, err)
	}
	l.m.Tick(now)
}

// pass wakes the machine whenever it has asked to be, and at the other instants
// too, until the end.
func (l *lane) pass(t require.TestingT, others []time.Time, end time.Time) {
	for {
		at, asked := l.m.NextWake()
		if len(others) > 0 && (!asked || others[0].Before(at)) {
			at, asked, others = others[0], true, others[1:]
			if l.isCut { // or it would notice that nothing is due
				l.cut(t)
			}
		}
		if !asked || at.After(end) {
			return
		}
		l.tick(t, at)
	}
}
