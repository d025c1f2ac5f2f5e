// Package certify measures how often a policy cries wolf, and how soon it finds what
// matters, on a model's own recorded history.
//
// The history is resampled in blocks, by the stationary bootstrap (Politis & Romano,
// "The stationary bootstrap", JASA 89, 1994): blocks of random length are put one
// after the other, each taken from a random place of the recording, at the same time
// of day, or of week. So a resample has the recording's noise, its dependence and its
// daily course, but none of the changes that the recording went through as a whole.
// What triggers in it is a false alarm; what triggers after a change was made in it,
// is found. The machine of production decides.
//
// A resample is as long as the recording. So the alarms of resamples vary about as
// much as those of recordings would, and 95 % of them make the interval.
package certify
