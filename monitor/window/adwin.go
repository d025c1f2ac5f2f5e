package window

import "math"

// The constants of river's ADWIN that a policy does not choose.
const (
	adwinBuckets   = 5  // of one size; one more merges two of them
	adwinMinWindow = 5  // datapoints on either side of a cut
	adwinGrace     = 10 // datapoints up to which nothing is detected
	// adwinClock is how many datapoints come between two looks for a change.
	// River's default is 32, for a stream of single events; a datapoint here is
	// a whole period.
	adwinClock = 1
)

// ADWIN detects a change of the mean in a series of datapoints: ADWIN2 of
// Bifet & Gavaldà, "Learning from time-changing data with adaptive windowing",
// SDM 2007, as version 0.26 of the Python library river has it. It detects at the
// same datapoints as river.drift.ADWIN(delta, clock=1); testdata/adwin says so.
//
// It keeps a window of all datapoints since the last detection in buckets, whose
// size doubles with age, and looks at every cut between two of them: is the
// difference between the means on both sides more than chance explains? Like
// river, and unlike the paper, it forgets the whole window upon a detection; so
// the buckets' own variances, of use only to drop some of them, are not kept.
//
// Datapoints are taken to be of about the magnitude of 1. Much smaller ones never
// make a detection, whatever they do: a part of the bound, 2/3 of a logarithm
// over the length of the shorter side, knows nothing of their scale.
//
// The zero value is ready to use. The exported fields are the whole state, which
// encoding/json carries over exactly. It grows with the logarithm of the window's
// length: after 2^20 datapoints, at most 88 buckets and 2,400 bytes of JSON.
//
// Products are rounded before they are added, so that no architecture fuses the
// two: all of them decide alike, up to the last bit of math.Log.
type ADWIN struct {
	Total    float64 `json:"total"`    // of the datapoints in the window
	Variance float64 `json:"variance"` // times the window's length: the sum of squared deviations
	// Rows[i] has the totals of the buckets of 2^i datapoints each, the oldest first.
	Rows [][]float64 `json:"rows,omitempty"`
}

// Add takes the next datapoint, |value| <= MaxMagnitude, and says whether the mean
// has changed by now, at confidence delta: above 0 and below 1, the smaller the
// surer. before and after are the means on both sides of the cut that stands out
// most from chance, so they are what the test compared: after > before is a rise.
// (What river still keeps of the window then is mostly from before the change: of
// a step from 0.05 to 0.15 its mean says 0.075, so nothing here computes it.)
func (a *ADWIN) Add(value, delta float64) (change bool, before, after float64) {
	a.insert(value)
	change, before, after = a.cut(delta)
	if change {
		*a = ADWIN{}
	}
	return change, before, after
}

// width is how many datapoints are in the window.
func (a *ADWIN) width() (width int64) {
	for i := range a.Rows {
		width += int64(len(a.Rows[i])) << i
	}
	return width
}

// insert puts a datapoint into the window.
func (a *ADWIN) insert(value float64) {
	if before := float64(a.width()); before > 0 {
		deviation := value - a.Total/before
		a.Variance += before * deviation * deviation / (before + 1)
	}

	a.Total += value
	for i := 0; ; i++ {
		if i == len(a.Rows) {
			a.Rows = append(a.Rows, nil)
		}
		a.Rows[i] = append(a.Rows[i], value)
		row := a.Rows[i]
		if len(row) <= adwinBuckets {
			return
		}

		value = row[0] + row[1] // the two oldest become one of the next row
		a.Rows[i] = row[:copy(row, row[2:])]
	}
}

// cut looks for the cut of the window whose two means differ by most more than
// chance explains at confidence delta.
func (a *ADWIN) cut(delta float64) (found bool, before, after float64) {
	width := a.width()
	if width <= adwinGrace || width%adwinClock != 0 {
		return false, 0, 0
	}

	oldLength, newLength := 0.0, float64(width)
	oldTotal, newTotal := 0.0, a.Total
	variance := a.Variance / newLength
	logDelta := math.Log(2 * math.Log(newLength) / delta)
	most := 0.0
	for i := len(a.Rows) - 1; i >= 0; i-- {
		size := float64(int64(1) << i)
		for _, total := range a.Rows[i] {
			oldLength += size
			newLength -= size
			oldTotal += total
			newTotal -= total
			if oldLength < adwinMinWindow || newLength < adwinMinWindow {
				continue
			}

			oldMean, newMean := oldTotal/oldLength, newTotal/newLength
			harmonic := 1/(oldLength-adwinMinWindow+1) + 1/(newLength-adwinMinWindow+1)
			chance := math.Sqrt(2*harmonic*variance*logDelta) + float64(2.0/3.0*logDelta*harmonic)
			if beyond := math.Abs(oldMean-newMean) - chance; beyond > most {
				found = true
				most = beyond
				before = oldMean
				after = newMean
			}
		}
	}

	return found, before, after
}

// MinChangeDatapoints is how many datapoints a rule on a change needs before it can
// detect one.
const MinChangeDatapoints = adwinGrace + 1
