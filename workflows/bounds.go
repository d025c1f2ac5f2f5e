package workflows

// The server takes 2,000 updates a run (history.maxTotalUpdates), accepted ones
// that it has answered or not; what a validator refuses does not count, and leaves
// nothing in the history. Past them it refuses every update, an operator's stop
// too, and it takes 10 at a time.
const (
	// maxRunUpdates is after how many updates a run asks for its successor. Servers
	// that suggest it do so at 1,800.
	maxRunUpdates = 1000
	// maxDeferredUpdates is how long a run waits for a call under way all the same.
	maxDeferredUpdates = 1500
)
