// Package metric is what serving code measures of a model: events with their
// readings, and the digests that many events fold into. Together with package hub it
// is all that serving code imports.
package metric
