package metric

// MaxObservations bounds the events, or the digests, of one signal. 10,000 are
// judged in some 50 ms, and a workflow that computes for a second is taken for
// deadlocked by the SDK, again at each replay.
const MaxObservations = 10_000
