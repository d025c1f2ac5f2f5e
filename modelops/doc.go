// Package modelops is the bridge to whatever trains models: the ModelOps interface,
// which a backend implements, the requests, jobs and outcomes that it speaks of, and
// the kinds of error by which it says what shall happen next. It is all that the code
// of a backend needs.
package modelops
