package window

import "math"

// CUSUM detects a lasting shift of the mean in a series of datapoints, however slow:
// the two-sided cumulative sum of Page, "Continuous inspection schemes", Biometrika
// 41, 1954, in its tabular form (Montgomery, Introduction to Statistical Quality
// Control, chapter 9).
//
// It learns a mean and a standard deviation from the first datapoints, as many as
// its caller says, and then sums up by how many deviations each further one lies
// beyond the mean: the part of it above the slack, separately for rises and falls.
// Noise empties a sum again and again; a shift of more than the slack fills it until
// it is above the decision. A detection empties both sums and leaves what was
// learnt, so that a shift that stays is detected again.
//
// How long it runs until a detection, in datapoints and on average, where the mean
// and the deviation are known, the datapoints are normal and the slack is 0.5: at
// decision 4, 168 without a shift and 8.38 with one of one deviation; at decision 5,
// 465 and 10.4 (Montgomery's table 9.3). With both learnt from the datapoints
// themselves runs vary more: learnt from 50 datapoints, half of the runs without a
// shift are shorter than 83 (decision 4) and 190 (decision 5), from 200 than 106 and
// 275, where a known reference has 118 and 326.
//
// Datapoints that are all alike while it learns have no deviation: any other value
// then is a shift.
//
// The zero value is ready to use. The exported fields are the whole state, which
// encoding/json carries over exactly, and which does not grow. Products are rounded
// before they are added, so that no architecture fuses the two.
type CUSUM struct {
	Learnt   int64   `json:"learnt"`        // datapoints of the reference so far
	Mean     float64 `json:"mean"`          // of them
	Variance float64 `json:"variance"`      // times their number: the sum of squared deviations
	High     drifted `json:"high,omitzero"` // towards a rise
	Low      drifted `json:"low,omitzero"`  // towards a fall
}

// drifted is one side's sum, and what has filled it since it was last empty.
type drifted struct {
	Sum   float64 `json:"sum"`   // in deviations, from 0 to the decision
	Count int64   `json:"count"` // datapoints
	Total float64 `json:"total"` // of them, as distances from the mean
}

// Add takes the next datapoint, |value| <= MaxMagnitude, and says whether the mean
// has shifted by now. The first samples datapoints, 2 or more, are the reference.
// slack, 0 or more, and decision, above 0, are in standard deviations. before is the
// reference's mean, after the mean of the datapoints that filled the sum: after >
// before is a rise.
func (c *CUSUM) Add(value float64, samples int64, slack, decision float64) (change bool, before, after float64) {
	if c.Learnt < samples {
		c.learn(value)
		return false, 0, 0
	}

	distance := value - c.Mean
	rise := c.High.add(distance, c.deviations(distance)-slack)
	fall := c.Low.add(distance, c.deviations(-distance)-slack)
	if rise <= decision && fall <= decision {
		return false, 0, 0
	}

	side := &c.High
	if fall > rise {
		side = &c.Low
	}
	before = c.Mean
	after = c.Mean + side.Total/float64(side.Count)
	c.High = drifted{}
	c.Low = drifted{}
	return true, before, after
}

// learn adds a datapoint to the reference, after Welford.
func (c *CUSUM) learn(value float64) {
	c.Learnt++
	distance := value - c.Mean
	c.Mean += distance / float64(c.Learnt)
	c.Variance += float64(distance * (value - c.Mean))
}

// deviations is a distance from the mean in standard deviations of the reference.
func (c *CUSUM) deviations(distance float64) float64 {
	if distance == 0 {
		return 0 // where there is no deviation, too
	}
	return distance / math.Sqrt(c.Variance/float64(c.Learnt-1))
}

// add adds what one datapoint has beyond the slack and returns the sum.
func (d *drifted) add(distance, beyond float64) float64 {
	sum := d.Sum + beyond
	if !(sum > 0) {
		*d = drifted{}
		return 0
	}

	d.Sum = sum
	d.Count++
	d.Total += distance
	return sum
}
