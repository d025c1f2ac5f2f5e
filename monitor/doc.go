// Package monitor is the machine that decides when a model is retrained: it takes
// what was measured, judges the policy's rules, and triggers or says why not. It is
// pure: it reads no clock, draws no random number, starts no goroutine and knows
// nothing of Temporal. The workflow and the backtest run the very same machine.
//
// To change which observation fires a retraining, read judge.go from its top:
// [Machine.Observe] leads there, and nothing else decides.
package monitor
