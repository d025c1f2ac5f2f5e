package monitor

// What handling an input costs, in steps of some nanoseconds each. They bound what
// a workflow task takes on, and what a fuzzer may find to cost more than its bytes.
const (
	refusalWork     = 20   // a refused element that is only counted
	explanationWork = 2000 // a refused element that is explained, beside its bytes
)

// breathWork is after how much work OnBreath is called. The SDK takes a second
// without a yield for a deadlock, and a worker may have a quarter of a core.
const breathWork = 1_000_000

// breath is how much work had been done when a machine last paused for it.
type breath int64

// take calls pause if it is time.
func (b *breath) take(work int64, pause func()) {
	if pause != nil && work-int64(*b) >= breathWork {
		*b = breath(work)
		pause()
	}
}

// Work counts what the machine has done so far for its inputs, in steps of at most
// some ten nanoseconds each on a current core (BenchmarkCost): the bytes it has read,
// and observations times rules. It is the same in each replay.
func (m *Machine) Work() int64 { return m.work + m.watch.Work() + m.publishers.Work() }
