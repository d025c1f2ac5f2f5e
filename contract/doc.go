// Package contract is what a monitor's workflow and its clients agree on: its id, the
// names of signals, queries and updates, its phases, and the guidance by which
// publishers pace themselves. Payloads are in metric, policy, modelops and monitor.
package contract
