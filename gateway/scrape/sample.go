package scrape

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/modelvigil/modelvigil/metric"
)

// Why a sample is not published.
const (
	skipNaN       = "not_a_number" // NaN or infinite, as of a ratio of nothing
	skipSeen      = "seen"         // its time was published before
	skipNoModel   = "no_model"     // it has no such label
	skipHistogram = "histogram"    // a native one is no number; histogram_quantile makes one of it
	skipInvalid   = "invalid"      // the event makes no sense
)

// sample is one value of a query's answer: an event, or why it is none.
type sample struct {
	event   metric.Event
	series  string // identifies it among those of the query
	skipped string
	why     string
}

// samplesOf are the samples of an answer, those of each series by time.
func (q Query) samplesOf(answer model.Value) ([]sample, error) {
	var samples []sample
	histogram := func(labels model.Metric) {
		samples = append(samples, sample{series: labels.String(), skipped: skipHistogram, why: labels.String() + " is a native histogram; ask for a histogram_quantile of it"})
	}

	switch answer := answer.(type) {
	case *model.Scalar:
		samples = append(samples, q.sample(nil, answer.Timestamp, answer.Value))
	case model.Vector:
		for _, s := range answer {
			if s.Histogram != nil {
				histogram(s.Metric)
				continue
			}
			samples = append(samples, q.sample(s.Metric, s.Timestamp, s.Value))
		}
	case model.Matrix:
		for _, series := range answer {
			for _, value := range series.Values {
				samples = append(samples, q.sample(series.Metric, value.Timestamp, value.Value))
			}
			for range series.Histograms {
				histogram(series.Metric)
			}
		}
	default:
		return nil, fmt.Errorf("query %s: gives a %s; must give numbers", q.PromQL, answer.Type())
	}

	return samples, nil
}

func (q Query) sample(labels model.Metric, at model.Time, value model.SampleValue) sample {
	s := sample{series: labels.String(), event: metric.Event{
		Timestamp: at.Time().UTC(), ModelName: q.ModelName.of(labels), ModelVersion: q.ModelVersion.of(labels),
	}}
	number := float64(value)
	switch {
	case math.IsNaN(number) || math.IsInf(number, 0):
		s.skipped = skipNaN
		s.why = fmt.Sprintf("%v is %v", labels, number)
	case s.event.ModelName == "":
		s.skipped = skipNoModel
		s.why = fmt.Sprintf("%v has no label %s", labels, q.ModelName.Label)
	}

	s.event.SetReading(q.Metric, number)
	if err := s.event.Validate(time.Now()); err != nil && s.skipped == "" {
		s.skipped = skipInvalid
		s.why = fmt.Sprintf("%v: %v", labels, err)
	}

	return s
}
