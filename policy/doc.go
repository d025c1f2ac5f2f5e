// Package policy is what is wanted of a model: its rules, the cooldown between two
// retrainings, blackouts and all else that a policy's file says. It reads and
// validates policies, says them in words, and computes what follows from a policy
// alone: when a rule's periods begin and are due, and how much of a monitor's state
// its rules may take.
package policy
