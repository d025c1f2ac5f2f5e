package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
)

// Recording is what was measured, in memory.
type Recording struct {
	Models   []Model // by name
	Rejected int64   // rows that could not be taken, whosesoever
}

// Model is one model's part of a recording.
type Model struct {
	Name string
	// Events are valid, have a timestamp, and are in order of it; those of the same
	// instant are in the order in which they were read.
	Events []metric.Event
	// Rejected are the rows known to be this model's that could not be taken. Where
	// a recording has one model alone, all are.
	Rejected int64
}

// Model returns a model by its name, or nil.
func (r *Recording) Model(name string) *Model {
	at := sort.Search(len(r.Models), func(i int) bool { return r.Models[i].Name >= name })
	if at < len(r.Models) && r.Models[at].Name == name {
		return &r.Models[at]
	}
	return nil
}

// Events is how many there are of all models.
func (r *Recording) Events() (total int64) {
	for i := range r.Models {
		total += int64(len(r.Models[i].Events))
	}
	return total
}

// Rejection is a row that could not be taken.
type Rejection struct {
	File string // as given
	Line int    // of the text, from 1
	Err  error  // every fault of it
}

func (r *Rejection) Error() string {
	where := fmt.Sprintf("%s:%d: ", r.File, r.Line)
	return where + strings.ReplaceAll(r.Err.Error(), "\n", "\n"+where)
}

// Unwrap returns what is wrong with the row.
func (r *Rejection) Unwrap() error { return r.Err }

// Recorder collects events into a Recording, sorted and checked.
type Recorder struct {
	models   map[string]*Model
	unsorted map[*Model]bool
	texts    map[string]string // versions and names, each kept once
	last     *Model            // that an event was added to
	rejected int64
}

// Add takes an event, which must have a timestamp, or says what is wrong with
// it. The event's texts and map are kept.
func (r *Recorder) Add(event metric.Event) error {
	model := r.last
	if model == nil || model.Name != event.ModelName {
		model = r.models[event.ModelName]
	}
	if event.Timestamp.IsZero() {
		return r.reject(event.ModelName, errNoTimestamp)
	}

	event.Timestamp = event.Timestamp.Round(0).UTC()
	// The names were looked at when they were first seen.
	_, known := r.texts[event.ModelVersion]
	if model == nil || !known || !event.Passes(event.Timestamp) {
		if err := event.Validate(event.Timestamp); err != nil {
			return r.reject(event.ModelName, err)
		}
	}
	if model == nil {
		model = r.model(event.ModelName)
	}
	event.ModelName, event.ModelVersion = model.Name, r.text(event.ModelVersion)
	if n := len(model.Events); n > 0 && event.Timestamp.Before(model.Events[n-1].Timestamp) {
		r.unsorted[model] = true
	}
	model.Events = append(model.Events, event)
	r.last = model
	return nil
}

// Reject counts a row that is no event. modelName says whose it is, empty if
// that can't be known.
func (r *Recorder) Reject(modelName string) { _ = r.reject(modelName, nil) }

func (r *Recorder) reject(modelName string, err error) error {
	r.rejected++
	if contract.ValidateModelName(modelName) == nil {
		r.model(modelName).Rejected++
	}
	return err
}

func (r *Recorder) model(name string) *Model {
	if model := r.models[name]; model != nil {
		return model
	}
	if r.models == nil {
		r.models = map[string]*Model{}
		r.unsorted = map[*Model]bool{}
	}
	model := &Model{Name: strings.Clone(name)}
	r.models[model.Name] = model
	return model
}

// text keeps one copy of each text.
func (r *Recorder) text(text string) string {
	if kept, known := r.texts[text]; known {
		return kept
	}
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	text = strings.Clone(text)
	r.texts[text] = text
	return text
}

// Recording returns what was collected, in order. The recorder must not be used
// after it.
func (r *Recorder) Recording() *Recording {
	recording := &Recording{Rejected: r.rejected}
	for _, model := range r.models {
		if r.unsorted[model] {
			slices.SortStableFunc(model.Events, func(a, b metric.Event) int { return a.Timestamp.Compare(b.Timestamp) })
		}
		recording.Models = append(recording.Models, *model)
	}
	slices.SortFunc(recording.Models, func(a, b Model) int { return cmp.Compare(a.Name, b.Name) })
	if len(recording.Models) == 1 {
		recording.Models[0].Rejected = r.rejected
	}
	return recording
}

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
