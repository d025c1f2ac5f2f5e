// Package monitor is modelvigil's domain: the events that serving code
// measures, the digests they are folded into, the policy they are judged by and
// the machine that decides. It is pure: it reads no clock, draws no random
// number, starts no goroutine and knows nothing of Temporal.
//
// To change which observation fires a retraining, read [Policy] and
// [Machine.Observe]; nothing else decides.
package monitor
