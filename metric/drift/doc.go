// Package drift says how far the readings of a period are from those of a reference:
// it freezes references into bins, counts readings in them, computes statistics over
// the counts, and the bounds that chance alone exceeds as rarely as is asked.
//
// It computes the same values on every processor: each product is rounded by itself,
// sums have a fixed order, the logarithm is its own, and a result has 12 significant
// digits.
package drift
