package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// Profile is what training data looks like: what a drift rule may hold a model against
// from its first event on. Its JSON is the file that `modelvigil profile` writes.
type Profile struct {
	Metrics    map[string]*ProfiledMetric   `json:"metrics,omitempty"`
	Categories map[string]*ProfiledCategory `json:"categories,omitempty"`
}

// ProfiledMetric is the distribution of a metric's readings.
type ProfiledMetric struct {
	Edges   []float64 `json:"edges"`             // 1 to 31 inner edges, ascending
	Counts  []int64   `json:"counts"`            // by bin, one more than edges
	Mean    float64   `json:"mean"`              // of the readings
	Std     float64   `json:"std"`               // their standard deviation
	Missing int64     `json:"missing,omitempty"` // rows that had none
}

// ProfiledCategory is the distribution of a category's readings.
type ProfiledCategory struct {
	Counts  map[string]int64 `json:"counts"`            // by value
	Other   int64            `json:"other,omitempty"`   // of values that are not among them
	Missing int64            `json:"missing,omitempty"` // rows that had none
}

// Limits of a profile's parts.
const (
	maxProfiled       = 1000 // metrics, and categories
	maxProfiledValues = 1000 // of one category
)

// Reference is the distribution of a metric, or of a category, frozen; nil where the
// profile has none of that name.
func (p *Profile) Reference(name string, isCategory bool) *Reference {
	if !isCategory {
		m := p.Metrics[name]
		if m == nil {
			return nil
		}
		return &Reference{Edges: m.Edges, Counts: m.Counts, Mean: m.Mean, Deviation: m.Std, Missing: m.Missing}
	}

	c := p.Categories[name]
	if c == nil {
		return nil
	}
	return ReferenceOfValues(&metric.Values{Counts: c.Counts, Other: c.Other}, c.Missing)
}

// Put takes a reference for the distribution of a metric, or of a category, unless the
// profile has one of that name.
func (p *Profile) Put(name string, isCategory bool, r *Reference) {
	if !isCategory {
		if p.Metrics == nil {
			p.Metrics = map[string]*ProfiledMetric{}
		}
		if p.Metrics[name] == nil {
			p.Metrics[name] = &ProfiledMetric{Edges: r.Edges, Counts: r.Counts, Mean: r.Mean, Std: significant(r.Deviation), Missing: r.Missing}
		}
		return
	}

	if p.Categories == nil {
		p.Categories = map[string]*ProfiledCategory{}
	}
	if p.Categories[name] == nil {
		c := &ProfiledCategory{Counts: map[string]int64{}, Other: r.Counts[len(r.Counts)-1], Missing: r.Missing}
		for i, value := range r.Values {
			c.Counts[value] = r.Counts[i]
		}
		p.Categories[name] = c
	}
}

// Has says that the profile has the distribution of a metric, or of a category.
func (p *Profile) Has(name string, isCategory bool) bool {
	if isCategory {
		return p.Categories[name] != nil
	}
	return p.Metrics[name] != nil
}

// UnmarshalJSON reads a profile; unknown fields are refused by name.
func (p *Profile) UnmarshalJSON(data []byte) error {
	*p = Profile{}
	return p.DecodeAt(data, "")
}

// DecodeAt reads a profile, and names its faults below path.
func (p *Profile) DecodeAt(data []byte, path string) error {
	err := strict.Decode(data, path, strict.Fields{
		"metrics":    decodeEach(&p.Metrics, (*ProfiledMetric).decodeAt),
		"categories": decodeEach(&p.Categories, (*ProfiledCategory).decodeAt),
	})
	if err != nil {
		return err
	}
	return strict.At(path, p.Validate())
}

// decodeEach reads an object whose members decode themselves.
func decodeEach[T any](into *map[string]*T, decode func(member *T, data []byte, path string) error) strict.Nested {
	return func(data []byte, path string) error {
		if n := strict.CountMembers(data); n > maxProfiled {
			return strict.At(path, fmt.Errorf("must be at most %d, got %d", maxProfiled, n))
		}
		var object map[string]json.RawMessage
		err := json.Unmarshal(data, &object)
		if err != nil {
			return strict.At(path, strict.Got(err, data))
		}
		if object == nil {
			return nil
		}

		*into = make(map[string]*T, len(object))
		var faults strict.Faults
		for _, name := range slices.Sorted(maps.Keys(object)) {
			member := new(T)
			faults.Add("", decode(member, object[name], strict.Join(path, plain.Cut(name, strict.MaxPathBytes))))
			(*into)[name] = member
		}
		return faults.Err()
	}
}

func (m *ProfiledMetric) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"edges": (*Edges)(&m.Edges), "counts": (*Counts)(&m.Counts), "mean": &m.Mean, "std": &m.Std, "missing": &m.Missing,
	})
}

func (c *ProfiledCategory) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"counts": &c.Counts, "other": &c.Other, "missing": &c.Missing})
}

// Validate names the faults of the profile, ten at most.
func (p *Profile) Validate() error {
	var faults strict.Faults
	if len(p.Metrics)+len(p.Categories) == 0 {
		faults.Add("", errors.New("has no metrics and no categories; `modelvigil profile` makes a profile of training data"))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Metrics)) {
		where := strict.Join("metrics", plain.Cut(name, strict.MaxPathBytes))
		faults.Add(where, metric.CheckName(name, 1, metric.MaxNameBytes))
		p.Metrics[name].validate(&faults, where)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Categories)) {
		where := strict.Join("categories", plain.Cut(name, strict.MaxPathBytes))
		faults.Add(where, metric.CheckName(name, 1, metric.MaxNameBytes))
		p.Categories[name].validate(&faults, where)
	}
	return faults.Err()
}

func (m *ProfiledMetric) validate(faults *strict.Faults, path string) {
	if n := len(m.Edges); n < 1 || n > MaxEdges {
		faults.Add(path+".edges", fmt.Errorf("must be 1 to %d, got %d", MaxEdges, n))
	}
	for i, edge := range m.Edges {
		faults.Add(path+".edges", metric.CheckReading(edge))
		if i > 0 && !(m.Edges[i-1] < edge) {
			faults.Add(path+".edges", fmt.Errorf("must ascend, got %v after %v", edge, m.Edges[i-1]))
		}
	}
	if len(m.Counts) != len(m.Edges)+1 {
		faults.Add(path+".counts", fmt.Errorf("must be one more than the %d edges, got %d", len(m.Edges), len(m.Counts)))
	}
	faults.Add(path+".counts", Counts(m.Counts).Check())
	checkTotal(faults, path+".counts", Counts(m.Counts).Total())
	faults.Add(path+".mean", metric.CheckReading(m.Mean))
	if !(m.Std >= 0 && m.Std <= metric.MaxMagnitude) {
		faults.Add(path+".std", fmt.Errorf("must be 0 to %.0e, got %v", metric.MaxMagnitude, m.Std))
	}
	checkMissing(faults, path, m.Missing)
}

func (c *ProfiledCategory) validate(faults *strict.Faults, path string) {
	if n := len(c.Counts); n > maxProfiledValues {
		faults.Add(path+".counts", fmt.Errorf("must be of at most %d values, the others in other, got %d", maxProfiledValues, n))
		return
	}

	total := c.Other
	for _, value := range slices.Sorted(maps.Keys(c.Counts)) {
		where := strict.Join(path+".counts", plain.Cut(value, strict.MaxPathBytes))
		faults.Add(where, metric.CheckValue(value))
		faults.Add(where, Counts{c.Counts[value]}.Check())
		total += c.Counts[value]
	}
	faults.Add(path+".other", Counts{c.Other}.Check())
	checkTotal(faults, path+".counts", total)
	checkMissing(faults, path, c.Missing)
}

func checkTotal(faults *strict.Faults, path string, total int64) {
	if total < 1 || total > metric.MaxCount {
		faults.Add(path, fmt.Errorf("must add up to 1 to %d, got %d", int64(metric.MaxCount), total))
	}
}

func checkMissing(faults *strict.Faults, path string, missing int64) {
	faults.Add(path+".missing", Counts{missing}.Check())
}

// Names are the metrics, or the categories, that the profile has, sorted.
func (p *Profile) Names(categories bool) []string {
	if categories {
		return slices.Sorted(maps.Keys(p.Categories))
	}
	return slices.Sorted(maps.Keys(p.Metrics))
}

// Only is the part of the profile that is asked for.
func (p *Profile) Only(asked func(name string, isCategory bool) bool) *Profile {
	part := &Profile{Metrics: maps.Clone(p.Metrics), Categories: maps.Clone(p.Categories)}
	maps.DeleteFunc(part.Metrics, func(name string, _ *ProfiledMetric) bool { return !asked(name, false) })
	maps.DeleteFunc(part.Categories, func(name string, _ *ProfiledCategory) bool { return !asked(name, true) })
	return part
}
