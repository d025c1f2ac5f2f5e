package drift

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
)

// Read takes the rows of training data: CSV with a header, or JSON, one event to a line. A
// column of a CSV named category:NAME is a category, and so is one whose first cell that
// is not empty is no number; timestamp, model_name and model_version are passed over.
// Errors name the line.
func (p *Profiler) Read(source io.Reader) error {
	reader := bufio.NewReaderSize(source, 1<<20)
	if mark, _ := reader.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = reader.Discard(3)
	}

	first, err := reader.Peek(1)
	if err == nil && first[0] == '{' {
		err = p.readJSON(reader)
	} else if err == nil {
		err = p.readCSV(reader)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("is empty")
	}
	return err
}

// readJSON reads events, one to a line.
func (p *Profiler) readJSON(lines *bufio.Reader) error {
	var reader metric.EventReader
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			event, fault := reader.Read(line)
			if fault == nil {
				event.ModelName = "training"
				fault = event.Validate(time.Now())
			}
			if fault != nil {
				return fmt.Errorf("line %d: %s", number, plain.Faults(fault))
			}
			p.Add(event)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// trainingColumn is a column of a CSV.
type trainingColumn struct {
	name       string
	isCategory bool
	isKnown    bool // whether it is a category
	isPassed   bool
}

// readCSV reads rows below a header.
func (p *Profiler) readCSV(source io.Reader) error {
	rows := csv.NewReader(source)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return err
	}

	columns := make([]trainingColumn, len(header))
	for i, name := range header {
		bare, isCategory := strings.CutPrefix(name, "category:")
		isPassed := name == "" || name == "timestamp" || name == "model_name" || name == "model_version"
		columns[i] = trainingColumn{bare, isCategory, isCategory, isPassed}
	}

	event := metric.Event{Metrics: map[string]float64{}, Categories: map[string]string{}}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}

		clear(event.Metrics)
		clear(event.Categories)
		for i := range columns {
			err := columns[i].read(row[i], &event)
			if err != nil {
				line, _ := rows.FieldPos(i)
				return fmt.Errorf("line %d: %w", line, err)
			}
		}
		p.Add(&event)
	}
}

// read puts a cell into an event. The first cell of a column that is not empty says
// whether it holds numbers.
func (c *trainingColumn) read(cell string, event *metric.Event) error {
	cell = strings.TrimSpace(cell)
	if c.isPassed || isAbsent(cell) {
		return nil
	}

	value, err := strconv.ParseFloat(cell, 64)
	if !c.isKnown {
		c.isKnown = true
		c.isCategory = err != nil
	}
	if c.isCategory {
		event.Categories[strings.Clone(c.name)] = strings.Clone(cell)
		return metric.CheckValue(cell)
	}
	if err == nil {
		err = metric.CheckReading(value)
	}
	if err != nil {
		return fmt.Errorf("column %q holds numbers, got %q", c.name, plain.Cut(cell, 40))
	}
	event.Metrics[c.name] = value
	return nil
}

// isAbsent says that a cell of a CSV is no reading.
func isAbsent(cell string) bool {
	switch cell {
	case "", "NaN", "NA", "N/A", "null", "None":
		return true
	}
	return false
}
