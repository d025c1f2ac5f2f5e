package drift

import (
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/metric"
)

// Profiler makes a Profile of training data, row by row, in bounded memory. Its zero
// value is ready.
type Profiler struct {
	rows       int64
	metrics    map[string]*column
	categories map[string]*metric.Values
}

// mostKept bounds the readings of one metric that are kept one by one. Of more, each
// second one in order of size stands for two, and so on: quantiles are then off by some
// hundredths of a per cent.
const mostKept = 1 << 17

// column are the readings of one metric.
type column struct {
	count         int64
	mean, squares float64
	full          [][]float64 // by level: sorted readings that stand for 2^level each
	open          []float64   // those that came last
}

// Add takes one row.
func (p *Profiler) Add(event *metric.Event) {
	p.rows++
	if p.metrics == nil {
		p.metrics = map[string]*column{}
		p.categories = map[string]*metric.Values{}
	}
	for name, reading := range map[string]metric.Reading{
		metric.Accuracy: event.Accuracy, metric.LatencyMS: event.LatencyMS, metric.DriftScore: event.DriftScore,
	} {
		if value, taken := reading.Get(); taken {
			p.column(name).add(value)
		}
	}
	for name, value := range event.Metrics {
		p.column(name).add(value)
	}
	for name, value := range event.Categories {
		if p.categories[name] == nil {
			p.categories[name] = &metric.Values{}
		}
		p.categories[name].Add(value, 1)
	}
}

func (p *Profiler) column(name string) *column {
	c := p.metrics[name]
	if c == nil {
		c = &column{}
		p.metrics[name] = c
	}
	return c
}

func (c *column) add(value float64) {
	c.count++
	apart := value - c.mean
	c.mean += apart / float64(c.count)
	c.squares += float64(apart * (value - c.mean))
	c.open = append(c.open, value)
	if len(c.open) == mostKept {
		slices.Sort(c.open)
		c.collapse(0, c.open)
		c.open = nil
	}
}

// collapse keeps sorted readings at a level; two lists of one level become one of the
// next.
func (c *column) collapse(level int, sorted []float64) {
	for len(c.full) <= level {
		c.full = append(c.full, nil)
	}
	if c.full[level] == nil {
		c.full[level] = sorted
		return
	}

	merged := slices.Concat(c.full[level], sorted)
	c.full[level] = nil
	slices.Sort(merged)
	half := make([]float64, 0, len(merged)/2)
	for i := level % 2; i < len(merged); i += 2 { // now the lower of two, now the upper
		half = append(half, merged[i])
	}
	c.collapse(level+1, half)
}

// weighted is a reading that stands for some.
type weighted struct {
	value  float64
	weight int64
}

// profile freezes the readings of a metric: edges at the quantiles i/32, those that
// coincide apart.
func (c *column) profile(rows int64) *ProfiledMetric {
	var all []weighted
	for _, value := range c.open {
		all = append(all, weighted{value, 1})
	}
	for level, values := range c.full {
		for _, value := range values {
			all = append(all, weighted{value, 1 << level})
		}
	}
	slices.SortFunc(all, func(a, b weighted) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})

	var edges []float64
	before, at := int64(0), 0
	for i := int64(1); i <= MaxEdges; i++ {
		for at < len(all)-1 && (before+all[at].weight)*(MaxEdges+1) <= c.count*i {
			before += all[at].weight
			at++
		}
		edges = append(edges, all[at].value)
	}

	m := &ProfiledMetric{Edges: apart(edges), Mean: significant(c.mean), Missing: rows - c.count}
	m.Std = significant(math.Sqrt(max(0, c.squares) / float64(c.count)))
	m.Counts = make([]int64, len(m.Edges)+1)
	reference := Reference{Edges: m.Edges}
	for _, one := range all {
		m.Counts[reference.Bin(one.value)] += one.weight
	}
	return m
}

// apart lets edges that coincide become two, the value and the next float above it, so
// that a value which many readings have gets a bin of its own.
func apart(sorted []float64) (edges []float64) {
	for i := 0; i < len(sorted); {
		same := i
		for same < len(sorted) && sorted[same] == sorted[i] {
			same++
		}
		edges = append(edges, sorted[i])
		next := math.Nextafter(sorted[i], math.Inf(1))
		if same-i > 1 && (same == len(sorted) || sorted[same] != next) {
			edges = append(edges, next)
		}
		i = same
	}

	return edges
}

// Profile is what the rows make.
func (p *Profiler) Profile() *Profile {
	profile := &Profile{Metrics: map[string]*ProfiledMetric{}, Categories: map[string]*ProfiledCategory{}}
	for name, c := range p.metrics {
		profile.Metrics[name] = c.profile(p.rows)
	}
	for name, values := range p.categories {
		values.Trim()
		profile.Categories[name] = &ProfiledCategory{Counts: values.Counts, Other: values.Other, Missing: p.rows - values.Count()}
	}
	return profile
}
