// Package rehearse closes the loop around anybody's model: a program prints what it
// measures, the decision machine of production judges it, and what is to be
// retrained the program is told and does itself.
//
// The program prints one JSON object to a line on its standard output:
//
//   - an event, as everywhere; its timestamp is the clock, so a year passes in seconds.
//     One that measures nothing lets the clock go on, and no more;
//   - {"sync": N}: answered by {"synced": N} once all that came before it is judged and
//     asked for, which makes a loop reproducible;
//   - {"retraining": {"request_id", "state", "model_version", "message"}}: the outcome of
//     a retraining, at the clock's instant.
//
// On its standard input it reads {"retrain": {…}}, a line for each request, and the
// answers to its syncs. Neither side can block the other: what the program prints is
// always read, and what it is told waits in memory until it reads. The end of its
// output ends the run.
package rehearse
