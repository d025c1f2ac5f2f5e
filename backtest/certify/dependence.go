package certify

import (
	"math"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

const (
	// reaches is how many times a block is longer than what a rule looks back on, at
	// least: nearly all that it sees is then of one block.
	reaches = 10
	// leastBlocks is how many blocks a recording has at least.
	leastBlocks = 10
	// dependences is how many times a block is longer than readings depend on one
	// another.
	dependences = 3
)

// blockOf is how long blocks are: long enough that dependence within the recording,
// and all that a rule looks back on, is mostly within one, and short enough that
// there are some.
func (p *pool) blockOf(wanted policy.Policy) time.Duration {
	block := p.granule
	for i := range wanted.Rules {
		r := &wanted.Rules[i]
		if r.IsWindowed() {
			_, n := r.MOfN()
			block = max(block, reaches*time.Duration(n)*r.PeriodLength())
		}
		for _, name := range measured(r) {
			series, step := p.series(name, r.PeriodLength())
			p.takeCourse(series, step)
			block = max(block, dependences*time.Duration(dependence(series))*step)
		}
	}

	block = min(block, p.length/leastBlocks)
	return max(p.granule, block/p.granule*p.granule)
}

func measured(r *policy.Rule) []string {
	if r.Metric == "" {
		return nil
	}
	return []string{r.Metric}
}

// series are the means of a metric over steps of a period; without one over granules,
// or longer, so that there are not too many. A step without readings is NaN.
func (p *pool) series(name string, period time.Duration) (means []float64, step time.Duration) {
	const most = 1 << 14
	step = max(period, p.granule)
	for p.length/step > most {
		step *= 2
	}
	sums := make([]float64, p.length/step+1)
	counts := make([]float64, len(sums))
	for i := range p.readings {
		if value, measured := p.readings[i].event.Reading(name); measured {
			at := p.readings[i].at / step
			sums[at] += value
			counts[at]++
		}
	}

	for i := range sums {
		sums[i] /= counts[i] // NaN without readings
	}
	return sums, step
}

// takeCourse takes the season's own course out of a series: blocks keep it anyway.
func (p *pool) takeCourse(series []float64, step time.Duration) {
	phases := int(p.season / step)
	if phases < 2 || p.season%step != 0 {
		return
	}

	for phase := range phases {
		mean, count := 0.0, 0.0
		for i := phase; i < len(series); i += phases {
			if !math.IsNaN(series[i]) {
				count++
				mean += (series[i] - mean) / count
			}
		}
		for i := phase; i < len(series); i += phases {
			series[i] -= mean
		}
	}
}

// dependence is up to which distance a series depends on itself: the least from
// which on five correlations in a row are within chance, after the rule of Politis &
// White ("Automatic block-length selection for the dependent bootstrap",
// Econometric Reviews 23, 2004).
func dependence(series []float64) int {
	const row = 5
	n := float64(len(series))
	bound := 2 * math.Sqrt(math.Log10(max(n, 10))/n)
	within := 0
	for lag := 1; lag < len(series)/4; lag++ {
		if math.Abs(correlation(series, lag)) > bound {
			within = 0
			continue
		}
		within++
		if within == row {
			return lag - row + 1
		}
	}

	return max(1, len(series)/4)
}

// correlation is that of a series with itself so many steps later; 0 where it can't
// be known.
func correlation(series []float64, lag int) float64 {
	mean, count := 0.0, 0.0
	for _, v := range series {
		if !math.IsNaN(v) {
			count++
			mean += (v - mean) / count
		}
	}

	var products, pairs, squares float64
	for i, v := range series {
		if math.IsNaN(v) {
			continue
		}
		squares += (v - mean) * (v - mean)
		if i >= lag && !math.IsNaN(series[i-lag]) {
			products += (v - mean) * (series[i-lag] - mean)
			pairs++
		}
	}

	if pairs == 0 || squares == 0 {
		return 0
	}
	return products / pairs / (squares / count)
}

// hasWeeks says that the recording shows a weekly course: a day is more like the same
// day of the week before than like those in between, beyond chance.
func (p *pool) hasWeeks(wanted policy.Policy) bool {
	for i := range wanted.Rules {
		for _, name := range measured(&wanted.Rules[i]) {
			days, step := p.series(name, day)
			if step != day {
				continue
			}
			bound := 2 / math.Sqrt(float64(len(days)))
			if correlation(days, 7) > bound+max(0, correlation(days, 3), correlation(days, 4)) {
				return true
			}
		}
	}

	return false
}
