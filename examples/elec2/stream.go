package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// HalfHours are the predictions of a day.
const HalfHours = 48

// firstDay is the first day of ELEC2: the 7th of May 1996.
var firstDay = time.Date(1996, time.May, 7, 0, 0, 0, 0, time.UTC)

// features are the columns of ELEC2 that a learner sees.
var features = []string{"period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"}

// Sample is one prediction's inputs and what became of it.
type Sample struct {
	X  []float64
	Up bool
}

// Stream is ELEC2: HalfHours samples to a day, in order of time.
type Stream []Sample

// Days is how many whole days the stream has.
func (s Stream) Days() int { return len(s) / HalfHours }

// Day are the samples of one day, from 0.
func (s Stream) Day(day int) Stream { return s[day*HalfHours : (day+1)*HalfHours] }

// Window are the samples of the last `days` days up to and with `last`.
func (s Stream) Window(last, days int) Stream {
	return s[(last+1-days)*HalfHours : (last+1)*HalfHours]
}

// ErrNoData says that there is no file of ELEC2.
var ErrNoData = errors.New("no ELEC2 data")

// whereFrom says how to come by the data, which is not part of this project.
const whereFrom = `ELEC2 is no part of this project. Take elec.csv from
https://github.com/scikit-multiflow/streaming-datasets (M. Harries, Splice-2 comparative evaluation:
Electricity pricing, UNSW, 1999), and name the file, gzip or not, by -data or ELEC2_DATA. Its columns are
period, nswprice, nswdemand, vicprice, vicdemand, transfer, class; a date or day before them is passed over`

// ReadStream reads a CSV of ELEC2, compressed by gzip or not.
func ReadStream(path string) (Stream, error) {
	file, err := os.Open(path)
	switch {
	case path == "" || errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w at %q: %s", ErrNoData, path, whereFrom)
	case err != nil:
		return nil, err
	}

	defer file.Close() //nolint:errcheck // it was only read
	var source io.Reader = file
	if packed, err := gzip.NewReader(file); err == nil {
		source = packed
	} else if _, err = file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}

	stream, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("read ELEC2 from %s: %w", path, err)
	}

	return stream, nil
}

func parse(source io.Reader) (Stream, error) {
	rows := csv.NewReader(source)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}

	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for _, name := range append([]string{"class"}, features...) {
		if _, is := column[name]; !is {
			return nil, fmt.Errorf("there is no column %q", name)
		}
	}

	var stream Stream
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}

		sample := Sample{X: make([]float64, len(features))}
		for i, name := range features {
			sample.X[i], err = strconv.ParseFloat(row[column[name]], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %s: %w", len(stream)+2, name, err)
			}
		}

		class := row[column["class"]]
		sample.Up = class == "1" || class == "UP"
		stream = append(stream, sample)
	}

	if len(stream) == 0 || len(stream)%HalfHours != 0 {
		return nil, fmt.Errorf("must be whole days of %d rows, got %d rows", HalfHours, len(stream))
	}

	return stream, nil
}
