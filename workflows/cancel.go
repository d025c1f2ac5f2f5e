package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/monitor"
)

// byTemporal is who decided what nobody asked us for but Temporal, which does not
// say on whose behalf.
const byTemporal = "Temporal"

// outlasting returns a context that goes on when the workflow is cancelled, and
// lets heed hear of the cancellation. In the workflow's own context nothing works
// from then on: timers and activities end at once, and nothing can be waited for,
// so a monitor could not even record the retraining in flight.
func outlasting(ctx workflow.Context, heed func(lasting workflow.Context)) workflow.Context {
	lasting, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(lasting, func(lasting workflow.Context) {
		ctx.Done().Receive(lasting, nil)
		heed(lasting)
	})

	return lasting
}

// outlast lets the run go on in the context that it returns until a cancellation is
// carried out. The run looks for one itself: a goroutine that waits for it, as outlasting
// has one, would take memory for each of the thousands of monitors that a worker holds.
func (m *monitorRun) outlast(ctx workflow.Context) workflow.Context {
	m.own = ctx
	lasting, _ := workflow.NewDisconnectedContext(ctx)
	return lasting
}

// isToHeed says that the workflow was cancelled, and that nobody knows of it yet.
func (m *monitorRun) isToHeed() bool { return m.own.Err() != nil && !m.isHeeded }

// heed takes a cancellation for known, when everybody else has had a turn.
func (m *monitorRun) heed(ctx workflow.Context) {
	if !m.isToHeed() {
		return
	}
	m.isHeeded = true
	workflow.Go(ctx, func(workflow.Context) {
		m.cancelled = true
		m.changed = true
	})
}

// Stop lets a machine know that its workflow was cancelled, which is an operator's
// word to end it in good order: it stops. Told again, nothing changes.
func Stop(machine *monitor.Machine, now time.Time) {
	machine.StopBy(now, monitor.Control{By: byTemporal, Reason: "its workflow was cancelled, which stops it as modelvigil stop does"})
}
