package recording

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// Fields of an event that are no readings, and a recording's own: when an event
// arrived, where that was not when it was measured.
const (
	fieldTimestamp    = "timestamp"
	fieldModelName    = "model_name"
	fieldModelVersion = "model_version"
	fieldArrival      = "arrival"
)

// parser makes batches of rows. There is one for each goroutine that does.
type parser struct {
	zone      *time.Location
	modelName string // whose events are that name no model

	model, version     string // of the last row
	checkedModel       bool   // there was nothing wrong with them
	checkedVersion     bool
	names              map[string]string // versions and models, each kept once
	faults             []error           // of the row under way
	hasTime, hasArrive bool              // the row under way says so
	row                row
	from               int // its first reading
	labelsFrom         int // its first label
}

// maxKept bounds the names that a parser keeps.
const maxKept = 1 << 16

// begin begins a row.
func (p *parser) begin(b *Batch) {
	p.row = row{model: p.modelName}
	p.from = len(b.readings)
	p.labelsFrom = len(b.labels)
	p.faults = p.faults[:0]
	p.hasTime = false
	p.hasArrive = false
}

// cell takes the text of a field that is no reading.
func (p *parser) cell(b *Batch, field string, cell []byte) {
	switch field {
	case fieldTimestamp, fieldArrival:
		p.instant(field, p.time(b, cell))
	case fieldModelName:
		p.row.model = p.keep(cell, p.model)
	case fieldModelVersion:
		p.row.version = p.keep(cell, p.version)
	}
}

// instant takes the time of an event or of its arrival.
func (p *parser) instant(field string, at int64) {
	if field == fieldArrival {
		p.row.arrived = at
		p.hasArrive = true
		return
	}
	p.row.at = at
	p.hasTime = true
}

func (p *parser) time(b *Batch, cell []byte) int64 {
	at, zoneless, err := parseTime(cell, p.zone)
	if err != nil {
		p.faults = append(p.faults, err)
	}
	if zoneless {
		b.countZoneless(at, p.zone)
	}
	return at
}

// keep returns a name as text, which is the last row's mostly.
func (p *parser) keep(name []byte, last string) string {
	if last == string(name) {
		return last
	}
	if kept, known := p.names[string(name)]; known {
		return kept
	}

	if p.names == nil || len(p.names) > maxKept {
		p.names = map[string]string{}
	}
	kept := string(name)
	p.names[kept] = kept
	return kept
}

// reading takes a value of a metric.
func (p *parser) reading(b *Batch, name int32, value float64) {
	if !(math.Abs(value) <= metric.MaxMagnitude) {
		p.faults = append(p.faults, checkMetric(b.names[name], value))
		return
	}
	b.readings = append(b.readings, reading{name, value})
}

// label takes a value of a category.
func (p *parser) label(b *Batch, name int32, value []byte) {
	err := metric.CheckValue(strict.Borrowed(value))
	if err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", b.names[name], err))
		return
	}
	b.labels = append(b.labels, label{name, p.keep(value, "")})
}

// end ends a row: it is an event, or it is rejected.
func (p *parser) end(b *Batch, line int) {
	r := &p.row
	if !p.hasTime && len(p.faults) == 0 {
		p.faults = append(p.faults, errNoTimestamp)
	}
	r.arrives = p.hasArrive
	if !r.arrives {
		r.arrived = r.at
	}
	if r.model != p.model || !p.checkedModel {
		p.model = r.model
		p.checkedModel = p.check(contract.ValidateModelName(r.model))
	}
	if r.version != p.version || !p.checkedVersion {
		p.version = r.version
		p.checkedVersion = p.check(contract.ValidateModelVersion(r.version))
	}
	if len(p.faults) > 0 {
		p.reject(b, line, errors.Join(p.faults...))
		return
	}

	r.end = len(b.readings)
	r.labelsEnd = len(b.labels)
	b.rows = append(b.rows, *r)
}

func (p *parser) check(err error) bool {
	if err != nil {
		p.faults = append(p.faults, err)
	}
	return err == nil
}

// reject gives the row under way up.
func (p *parser) reject(b *Batch, line int, err error) {
	b.readings = b.readings[:p.from]
	b.labels = b.labels[:p.labelsFrom]
	b.rejected = append(b.rejected, rejectedRow{line, p.row.model, err})
}
