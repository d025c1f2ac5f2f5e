package table

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/metric"
)

// Row is one event.
type Row struct {
	Timestamp    time.Time // when it was measured; zero means when it is handled
	ModelName    string
	ModelVersion string

	Columns    *Columns
	Values     []float64  // by column; None where nothing was measured
	Categories []Category // by name
}

// Category is a reading that is a name.
type Category struct{ Name, Value string }

// None stands for a reading that was not taken: it is no number, which no reading is.
var None = math.NaN()

// IsTaken says that a value is a reading.
func IsTaken(value float64) bool { return value == value } // of numbers, NaN alone differs from itself

// Begin empties a row for an event, and gives it columns: nothing was measured yet.
func (r *Row) Begin(columns *Columns) {
	r.Columns = columns
	r.Categories = r.Categories[:0]
	r.Values = slices.Grow(r.Values[:0], len(columns.names))[:len(columns.names)]
	for place := range r.Values {
		r.Values[place] = None
	}
}

// OfEvent makes the row a valid event. It keeps the columns that it has, where the event
// measures nothing else.
func (r *Row) OfEvent(e *metric.Event) {
	r.Timestamp = e.Timestamp
	r.ModelName = e.ModelName
	r.ModelVersion = e.ModelVersion
	if r.Columns == nil {
		r.Columns = Own
	}
	if !r.take(e) {
		r.Columns = r.Columns.With(maps.Keys(e.Metrics))
		r.take(e)
	}

	if len(e.Categories) > 0 { // ranging over none is not free
		for name, value := range e.Categories {
			r.SetCategory(name, value)
		}
	}
}

// take puts the readings of an event into their columns, and says whether each has one.
func (r *Row) take(e *metric.Event) (isWhole bool) {
	r.Begin(r.Columns)
	r.Values[r.Columns.accuracy] = e.Accuracy.Or(None)
	r.Values[r.Columns.driftScore] = e.DriftScore.Or(None)
	r.Values[r.Columns.latencyMS] = e.LatencyMS.Or(None)

	// Events of one model mostly measure the same. To ask one for each name is then a
	// fraction of the work that it is to find a place for each of its own.
	left := len(e.Metrics)
	if 2*left >= len(r.Values) {
		for place, name := range r.Columns.names {
			value, isThere := e.Metrics[name]
			if isThere {
				r.Values[place] = value
				left--
			}
		}
		return left == 0
	}

	for name, value := range e.Metrics {
		place := r.Columns.Place(name)
		if place == Nowhere {
			return false
		}
		r.Values[place] = value
	}
	return true
}

// SetCategory puts a category into its place among the others.
func (r *Row) SetCategory(name, value string) {
	place, isThere := slices.BinarySearchFunc(r.Categories, name, func(c Category, name string) int { return strings.Compare(c.Name, name) })
	if isThere {
		r.Categories[place].Value = value
		return
	}
	r.Categories = slices.Insert(r.Categories, place, Category{name, value})
}

// Measures says that the row has a reading of a metric.
func (r *Row) Measures(name string) bool {
	place := r.Columns.Place(name)
	return place != Nowhere && IsTaken(r.Values[place])
}

// Event makes an event of the row, whose maps are used again.
func (r *Row) Event(into *metric.Event) {
	further, categories := into.Metrics, into.Categories
	clear(further)
	clear(categories)
	*into = metric.Event{
		Timestamp: r.Timestamp, ModelName: r.ModelName, ModelVersion: r.ModelVersion, Metrics: further, Categories: categories,
	}

	for place, value := range r.Values {
		if IsTaken(value) {
			into.SetReading(r.Columns.names[place], value)
		}
	}
	for _, c := range r.Categories {
		if into.Categories == nil {
			into.Categories = map[string]string{}
		}
		into.Categories[c.Name] = c.Value
	}
}
