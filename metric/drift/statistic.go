package drift

import "math"

// Statistic is a distance between the shares of a reference and those of a period.
type Statistic string

// The statistics.
const (
	// KS is the largest difference of cumulated shares.
	KS Statistic = "ks"
	// PSI is the population stability index, each count plus one half.
	PSI Statistic = "psi"
	// JS is the Jensen-Shannon distance, base 2, 0 to 1.
	JS Statistic = "js"
	// TVD is the total variation distance, 0 to 1.
	TVD Statistic = "tvd"
	// Wasserstein is the area between the cumulated shares from the first inner edge
	// to the last, in standard deviations of the reference.
	Wasserstein Statistic = "wasserstein"
	// Missing is the share of events that have no reading.
	Missing Statistic = "missing"
)

// Statistics are all of them.
func Statistics() []Statistic { return []Statistic{KS, PSI, JS, TVD, Wasserstein, Missing} }

// IsNumeric says that the statistic has a meaning for numbers alone.
func (s Statistic) IsNumeric() bool { return s == KS || s == Wasserstein }

// HasNull says that the bound of the statistic can be asked for as a rate of false
// alarms.
func (s Statistic) HasNull() bool { return s == KS || s == PSI || s == JS || s == TVD }

// Measure is a statistic of a period against a reference, to 12 significant digits.
// known is false where it has no value: one of the two has no reading, or the
// reference no spread.
func (s Statistic) Measure(reference *Reference, counts Counts) (value float64, known bool) {
	value, known = s.of(reference.Counts, counts, reference.Edges, reference.Deviation)
	return significant(value), known
}

// of is the statistic itself.
func (s Statistic) of(reference, period Counts, edges []float64, deviation float64) (value float64, known bool) {
	n, m := float64(reference.Total()), float64(period.Total())
	if n == 0 || m == 0 {
		return 0, false
	}

	switch s {
	case KS:
		return largestGap(reference, period, n, m), true
	case Wasserstein:
		return area(reference, period, edges, n, m) / deviation, deviation > 0
	case JS:
		sum := 0.0
		for i := range reference {
			sum += divergence(float64(reference[i])/n, float64(period[i])/m)
		}
		return distance(sum), true
	case TVD:
		sum := 0.0
		for i := range reference {
			sum += math.Abs(float64(period[i])/m - float64(reference[i])/n)
		}
		return sum / 2, true
	case PSI:
		half := float64(len(reference)) / 2
		sum := 0.0
		for i := range reference {
			sum += stability((float64(reference[i])+0.5)/(n+half), (float64(period[i])+0.5)/(m+half))
		}
		return sum, true
	default: // Missing, which is of no bins
		return 0, false
	}
}

func largestGap(reference, period Counts, n, m float64) (largest float64) {
	ofReference, ofPeriod := int64(0), int64(0)
	for i := range reference {
		ofReference += reference[i]
		ofPeriod += period[i]
		largest = max(largest, math.Abs(float64(ofReference)/n-float64(ofPeriod)/m))
	}
	return largest
}

func area(reference, period Counts, edges []float64, n, m float64) (sum float64) {
	ofReference, ofPeriod := int64(0), int64(0)
	for i := 0; i+1 < len(edges); i++ {
		ofReference += reference[i]
		ofPeriod += period[i]
		gap := math.Abs(float64(ofReference)/n - float64(ofPeriod)/m)
		sum += float64(gap * (edges[i+1] - edges[i]))
	}
	return sum
}

// stability is one bin's part of the population stability index.
func stability(p, q float64) float64 {
	if p == q {
		return 0
	}
	return float64((q - p) * logarithm(q/p))
}

// divergence is one bin's part of twice the Jensen-Shannon divergence, base e.
func divergence(p, q float64) (sum float64) {
	middle := (p + q) / 2
	if p > 0 {
		sum += float64(p * logarithm(p/middle))
	}
	if q > 0 {
		sum += float64(q * logarithm(q/middle))
	}
	return sum
}

// distance is the Jensen-Shannon distance, base 2, of what divergence sums up to.
func distance(sum float64) float64 {
	return math.Sqrt(max(0, sum) / (ln2High + ln2Low) / 2)
}
