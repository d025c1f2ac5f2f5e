// Package activities are the Temporal activities of a worker: they call backends,
// which implement modelops.ModelOps, and tell channels of decisions. Each backend has
// a subfolder of its own.
package activities
