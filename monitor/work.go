package monitor

// What handling an input costs, in steps of some nanoseconds each. They bound what
// a workflow task takes on, and what a fuzzer may find to cost more than its bytes.
const (
	observationWork = 40   // an observation, beside its metrics and the rules
	explanationWork = 2000 // a refused element, beside its bytes
	versionWork     = 400  // a version that was not heard of before
)

// Work counts what the machine has done so far for its inputs, in steps of at most
// some ten nanoseconds each on a current core (BenchmarkWork): the bytes it has read,
// and observations times rules. It is the same in each replay.
func (m *Machine) Work() int64 { return m.work }
