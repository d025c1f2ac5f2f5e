package drift

import "math"

// Range is between which two values a statistic lies, given what is in doubt of a
// period's counts. Without doubt both are what Measure returns.
func (s Statistic) Range(reference *Reference, tally *Tally) (low, high float64, known bool) {
	value, known := s.Measure(reference, tally.Counts)
	if !known || !tally.IsApproximate() {
		return value, value, known
	}

	n, m := float64(reference.Counts.Total()), float64(tally.Counts.Total())
	switch s {
	case KS, Wasserstein:
		low, high = s.cumulatedRange(reference, tally, n, m)
	default:
		low, high = s.binnedRange(reference, tally, n, m)
	}
	return significant(low), significant(high), true
}

// cumulatedRange is of the statistics over cumulated shares: at each edge the period's
// may be off by what is in doubt there.
func (s Statistic) cumulatedRange(reference *Reference, tally *Tally, n, m float64) (low, high float64) {
	ofReference, ofPeriod := int64(0), int64(0)
	for i, edge := range reference.Edges {
		ofReference += reference.Counts[i]
		ofPeriod += tally.Counts[i]
		gap := math.Abs(float64(ofReference)/n - float64(ofPeriod)/m)
		error := float64(tally.Doubt[i]) / m
		least, most := max(0, gap-error), gap+error
		if s == KS {
			low = max(low, least)
			high = max(high, most)
			continue
		}
		if i+1 < len(reference.Edges) {
			width := reference.Edges[i+1] - edge
			low += float64(least * width)
			high += float64(most * width)
		}
	}

	if s == Wasserstein {
		return low / reference.Deviation, high / reference.Deviation
	}
	return low, min(1, high)
}

// binnedRange is of the statistics that are sums over bins, each of a function of the
// period's share that falls up to the reference's share and rises from there.
func (s Statistic) binnedRange(reference *Reference, tally *Tally, n, m float64) (low, high float64) {
	half := float64(len(reference.Counts)) / 2
	part := func(count, inPeriod float64) float64 {
		switch s {
		case JS:
			return divergence(count/n, inPeriod/m)
		case PSI:
			return stability((count+0.5)/(n+half), (inPeriod+0.5)/(m+half))
		default:
			return math.Abs(inPeriod/m-count/n) / 2
		}
	}

	for i := range reference.Counts {
		doubt := int64(0)
		if i > 0 {
			doubt += tally.Doubt[i-1]
		}
		if i < len(tally.Doubt) {
			doubt += tally.Doubt[i]
		}
		count := float64(reference.Counts[i])
		least := float64(max(0, tally.Counts[i]-doubt))
		most := min(m, float64(tally.Counts[i]+doubt))
		atLeast, atMost := part(count, least), part(count, most)
		high += max(atLeast, atMost)
		if s == PSI {
			if p := (count + 0.5) / (n + half); p < (least+0.5)/(m+half) || p > (most+0.5)/(m+half) {
				low += min(atLeast, atMost)
			}
		} else if p := count / n; p < least/m || p > most/m {
			low += min(atLeast, atMost)
		}
	}

	if s == JS {
		return distance(low), min(1, distance(high))
	}
	return low, high
}
