// Package monitor is the machine that decides when a model is retrained: it takes
// what was measured, judges the policy's rules, and triggers or says why not. It is
// pure: it reads no clock, draws no random number, starts no goroutine and knows
// nothing of Temporal. The workflow and the backtest run the very same machine.
//
// To change which observation fires a retraining, read breach.go from its top, which is
// the way of every breach; what is due by time alone, tick.go. What they ask lives
// below: observation (an event or a digest, as rules judge it), window (one rule on one
// version, its periods), contrast (distributions beside a reference), verdict
// (composites), watch (what was seen of the model), retraining (what is in flight, waits or is verified),
// journal (decisions, notices, refusals), publisher (who was heard), fleet.
package monitor
