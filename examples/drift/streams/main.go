// Streams counts the false alarms of drift rules over streams in which nothing changes,
// each with a reference of its own and one look, and prints a row of examples/drift's
// table for each shape and size.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/modelvigil/modelvigil/metric/drift"
)

const (
	level    = 0.02 // of false alarms that a rule asks for
	learnt   = 5000 // readings of a reference, and where many metrics are watched a fifth of it
	perBound = 250  // streams that share a simulation of their bounds, so that it takes minutes and not days
	keptBins = 256  // of a reference while it is learnt, as a rule on one metric keeps them
	features = 40
)

// A shape is what a stream's readings are drawn from.
type shape struct {
	name string
	draw func(*rand.Rand) float64
}

var shapes = []shape{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"skewed", func(r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) }},
	{"heavy-tailed", func(r *rand.Rand) float64 { return math.Tan(math.Pi * (r.Float64() - 0.5)) }},
	{"discrete", func(r *rand.Rand) float64 { return math.Floor(3 * r.ExpFloat64()) }},
	{"2 % ones", func(r *rand.Rand) float64 { return math.Floor(1.02 - r.Float64()) }},
}

var statistics = []drift.Statistic{drift.KS, drift.PSI, drift.JS, drift.TVD}

func main() {
	streams := flag.Int("streams", 10_000, "of each shape and size")
	rare := flag.Int("rare", 0, "count so many looks at one of forty features instead, a fourth of them against a reference of 5,000 readings")
	flag.Parse()

	if *rare > 0 {
		perMetric, _ := drift.Level(level, 1, 1, 1, features)
		for _, c := range []struct{ looks, readings int }{{*rare, learnt / 5}, {*rare / 4, learnt}} {
			fmt.Printf("%d looks at a rate of %.6f, %.0f asked, references of %d readings: ", c.looks, perMetric, perMetric*float64(c.looks), c.readings)
			fmt.Println(alone(shapes[0], c.looks, 300, c.readings, perMetric, c.looks/20))
		}
		return
	}

	asked := level * float64(*streams)
	fmt.Printf("%d streams, %v asked, three standard deviations above it %.0f\n\n", *streams, asked, asked+3*math.Sqrt(asked*(1-level)))
	fmt.Printf("| | readings | %s | %s | %s | %s |\n|---|---|---|---|---|---|\n", "ks", "psi", "js", "tvd")
	each := func(sizes ...int64) {
		for _, size := range sizes {
			for _, s := range shapes {
				print(s.name, size, alone(s, *streams, size, learnt, level, perBound))
			}
		}
	}
	each(50, 300)
	for _, shared := range []float64{0, 0.5} {
		name := fmt.Sprintf("%d features", features)
		if shared > 0 {
			name += " that have half their variance in common"
		}
		print(name, 300, together(*streams, 300, shared))
	}
	each(5000, 50_000)
}

func print(name string, size int64, breaching map[drift.Statistic]int) {
	cells := make([]string, len(statistics))
	for i, s := range statistics {
		cells[i] = fmt.Sprint(breaching[s])
	}
	fmt.Printf("| %s | %d | %s |\n", name, size, strings.Join(cells, " | "))
}

// alone counts the looks at one metric that are beyond their bounds, each at a reference
// of so many readings of its own, for a rate; so many streams share a simulation.
func alone(s shape, streams int, size int64, readings int, level float64, sharing int) map[drift.Statistic]int {
	random := rand.New(rand.NewPCG(11, uint64(size)))
	breaching := map[drift.Statistic]int{}
	var bounds map[drift.Statistic]drift.Bounds
	for i := range streams {
		draw := func() float64 { return s.draw(random) }
		reference := learn(draw, readings)
		if i%sharing == 0 {
			bounds = find(reference, size, level)
		}
		for statistic := range beyond(reference, count(reference, draw, size), bounds) {
			breaching[statistic]++
		}
	}

	return breaching
}

// together counts the looks at which any of many metrics, all normal, is beyond its
// bound. shared is what part of their variance they have in common.
func together(streams int, size int64, shared float64) map[drift.Statistic]int {
	random := rand.New(rand.NewPCG(12, 13))
	perMetric, _ := drift.Level(level, 1, 1, 1, features)
	breaching := map[drift.Statistic]int{}
	var bounds map[drift.Statistic]drift.Bounds
	for i := range streams {
		if i%perBound == 0 {
			bounds = find(learn(random.NormFloat64, learnt/5), size, perMetric)
		}

		common := make([]float64, learnt/5+size)
		for at := range common {
			common[at] = math.Sqrt(shared) * random.NormFloat64()
		}
		isBeyond := map[drift.Statistic]bool{}
		for range features {
			at := 0
			draw := func() float64 {
				at++
				return common[at-1] + math.Sqrt(1-shared)*random.NormFloat64()
			}
			reference := learn(draw, learnt/5)
			for statistic := range beyond(reference, count(reference, draw, size), bounds) {
				isBeyond[statistic] = true
			}
		}
		for statistic := range isBeyond {
			breaching[statistic]++
		}
	}
	return breaching
}

// learn freezes a fresh reference.
func learn(draw func() float64, readings int) *drift.Reference {
	var spread drift.Spread
	for range readings {
		spread.Add(draw(), keptBins)
	}
	return spread.Freeze(0)
}

func count(reference *drift.Reference, draw func() float64, size int64) drift.Counts {
	counts := make(drift.Counts, reference.Bins())
	for range size {
		counts[reference.Bin(draw())]++
	}
	return counts
}

// find finds the bounds of periods of a size. That a rule has many metrics it does not
// tell: here they share one simulation, which takes as many samples as one of its own.
func find(reference *drift.Reference, size int64, level float64) map[drift.Statistic]drift.Bounds {
	all := map[drift.Statistic]drift.Bounds{}
	for _, s := range statistics {
		null := drift.Null{Statistic: s, Counts: reference.Counts, Level: level}
		all[s] = null.Find(size)
	}
	return all
}

// beyond are the statistics that are beyond their bounds.
func beyond(reference *drift.Reference, period drift.Counts, bounds map[drift.Statistic]drift.Bounds) map[drift.Statistic]bool {
	all := map[drift.Statistic]bool{}
	for s, b := range bounds {
		value, _ := s.Measure(reference, period)
		bound, _ := b.At(s, period.Total(), reference.Counts.Total())
		if value > bound {
			all[s] = true
		}
	}
	return all
}
