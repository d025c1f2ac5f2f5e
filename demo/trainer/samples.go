package trainer

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/modelvigil/modelvigil/demo/stream"
)

const (
	// maxSamplesBytes bounds one POST /samples: some 50,000 samples of three inputs.
	maxSamplesBytes = 4 << 20
	// maxInputs bounds a sample, and with the capacity the memory of all.
	maxInputs = 256
)

// labelled is a sample on the wire. A class that was left out is no class, and
// above all not false.
type labelled struct {
	X []float64 `json:"x"`
	Y *bool     `json:"y"`
}

// ring holds the most recent samples, as many as it was made for.
type ring struct {
	kept  []stream.Sample
	total int // samples ever added; the next one goes to total modulo capacity
}

func newRing(capacity int) ring { return ring{kept: make([]stream.Sample, 0, capacity)} }

func (r *ring) add(samples []stream.Sample) {
	for _, sample := range samples {
		if len(r.kept) < cap(r.kept) {
			r.kept = append(r.kept, sample)
		} else {
			r.kept[r.total%cap(r.kept)] = sample
		}
		r.total++
	}
}

// last returns a copy of the n newest samples, or of all where fewer are held,
// oldest first.
func (r *ring) last(n int) []stream.Sample {
	n = min(n, len(r.kept))
	newest := make([]stream.Sample, n)
	for i := range newest {
		newest[i] = r.kept[(r.total-n+i)%cap(r.kept)]
	}
	return newest
}

// inputs returns how many inputs the samples have, 0 while there is none.
func (r *ring) inputs() int {
	if len(r.kept) == 0 {
		return 0
	}
	return len(r.kept[0].X)
}

// takeSamples takes all samples of a request or, where one is at fault, none.
func (t *Trainer) takeSamples(w http.ResponseWriter, r *http.Request) {
	var sent []labelled
	if refused := readJSON(w, r, maxSamplesBytes, &sent); refused != nil {
		t.refuse(w, r, refused)
		return
	}
	samples, err := fromWire(sent)
	if err != nil {
		t.refuse(w, r, &refusal{status: http.StatusUnprocessableEntity, reason: err.Error()})
		return
	}

	taken, err := t.add(samples)
	if err != nil {
		t.refuse(w, r, &refusal{status: http.StatusUnprocessableEntity, reason: err.Error()})
		return
	}

	writeJSON(w, http.StatusOK, taken)
}

func (t *Trainer) add(samples []stream.Sample) (samplesTaken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := stream.Check(samples, t.samples.inputs()); err != nil {
		return samplesTaken{}, err
	}
	t.samples.add(samples)
	t.wakeJobs()
	return samplesTaken{Accepted: len(samples), Held: len(t.samples.kept), Total: t.samples.total}, nil
}

func fromWire(sent []labelled) ([]stream.Sample, error) {
	samples := make([]stream.Sample, len(sent))
	for i, sample := range sent {
		if sample.Y == nil {
			return nil, fmt.Errorf("samples[%d].y: must be given", i)
		}
		if len(sample.X) > maxInputs {
			return nil, fmt.Errorf("samples[%d].x: must have at most %d inputs, got %d", i, maxInputs, len(sample.X))
		}
		samples[i] = stream.Sample{X: sample.X, Y: *sample.Y}
	}

	return samples, nil
}

// samplesTaken answers POST /samples.
type samplesTaken struct {
	Accepted int `json:"accepted"` // of this request
	Held     int `json:"held"`     // now, the most recent
	Total    int `json:"total"`    // ever taken
}

// serveModel answers 304 to who has the newest model already, and 404 while
// there is none.
func (t *Trainer) serveModel(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	model := t.published
	t.mu.Unlock()
	if model.body == nil {
		writeJSON(w, http.StatusNotFound, fault{"there is no model yet: no initial samples were given, and no retraining has succeeded"})
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-cache") // to be asked after every time
	header.Set("ETag", model.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(model.body))
}
