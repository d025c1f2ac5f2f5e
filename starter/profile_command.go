package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

func newProfileCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "profile DATA…",
		Short: "Make a profile of training data, for drift rules",
		Long: `Make a profile of training data, for drift rules to hold a model against: of each column of
numbers edges at the quantiles i/32 with the counts between them, mean, standard deviation
and how many rows have none; of each other column how often its most frequent values come.

DATA is CSV with a header, or JSON, one event to a line; - is standard input. A column
named category:NAME is a category, whatever it holds, and so is one whose first cell is no
number; timestamp, model_name and model_version are passed over.`,
		Example: `  modelvigil profile train.csv -o fraud-v7.profile.json
  modelvigil profile january.ndjson february.ndjson -o fraud-v7.profile.json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"csv", "ndjson", "jsonl"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	output := command.Flags().StringP("output", "o", "-", "`FILE` to write the profile to; - is standard output")
	command.RunE = func(command *cobra.Command, files []string) error {
		var profiler drift.Profiler
		for _, file := range files {
			err := profileFile(command.Context(), &profiler, file, command.InOrStdin(), command.ErrOrStderr())
			if err != nil {
				return err
			}
		}

		profile := profiler.Profile()
		err := profile.Validate()
		if err != nil {
			return fmt.Errorf("the data make no profile: %s", plain.Faults(err))
		}
		encoded, err := json.MarshalIndent(profile, "", " ")
		if err != nil {
			return err
		}
		encoded = append(encoded, '\n')
		if *output == "-" {
			_, err = command.OutOrStdout().Write(encoded)
			return err
		}
		return os.WriteFile(*output, encoded, 0o644) //nolint:gosec // a profile is no secret
	}
	return command
}

// profileFile reads one file of training data.
func profileFile(ctx context.Context, into *drift.Profiler, file string, stdin io.Reader, stderr io.Writer) error {
	source := stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }()
		size := int64(0)
		if info, err := opened.Stat(); err == nil {
			size = info.Size()
		}
		progress := showProgress(stderr, "reading", size)
		defer progress.end()
		source = &countingReader{opened, progress}
	}

	reader := bufio.NewReaderSize(newInterruptible(ctx, source), 1<<20)
	if mark, _ := reader.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = reader.Discard(3)
	}
	first, err := reader.Peek(1)
	if err == nil && first[0] == '{' {
		err = profileJSON(into, reader)
	} else if err == nil {
		err = profileCSV(into, reader)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("is empty")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", document.Called(file), err)
	}
	return nil
}

// profileJSON reads events, one to a line.
func profileJSON(into *drift.Profiler, lines *bufio.Reader) error {
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
			into.Add(event)
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

// profileCSV reads rows.
func profileCSV(into *drift.Profiler, source io.Reader) error {
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
		into.Add(&event)
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

// countingReader tells of what is read.
type countingReader struct {
	io.Reader
	progress *progress
}

// Read implements io.Reader.
func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.progress.add(int64(n))
	return n, err
}
