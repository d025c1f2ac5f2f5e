package rehearse

import "github.com/modelvigil/modelvigil/metric"

// Mean is the mean of all readings of one metric.
type Mean struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
}

// means are those of all metrics, by name.
type means map[string]*Mean

func (m means) add(event *metric.Event) {
	m.reading(metric.Accuracy, event.Accuracy)
	m.reading(metric.LatencyMS, event.LatencyMS)
	m.reading(metric.DriftScore, event.DriftScore)
	for name, value := range event.Metrics {
		m.reading(name, metric.Some(value))
	}
}

func (m means) reading(name string, reading metric.Reading) {
	value, measured := reading.Get()
	if !measured {
		return
	}

	of := m[name]
	if of == nil {
		of = &Mean{}
		m[name] = of
	}
	of.Count++
	of.Mean += (value - of.Mean) / float64(of.Count)
}

func (m means) all() map[string]Mean {
	all := make(map[string]Mean, len(m))
	for name, of := range m {
		all[name] = *of
	}
	return all
}
