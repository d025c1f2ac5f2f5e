// Package elec2 reads the Electricity Market stream, the data of a real market whose
// concept drifts, for tests.
package elec2

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/modelvigil/modelvigil/demo/stream"
)

// Week is a week of ELEC2 in samples, which are half-hours.
const Week = 7 * 48

// columns are the file's columns as scikit-multiflow/streaming-datasets has
// them; all but the last are inputs.
var columns = []string{"period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "class"}

// Open reads the file at the path, as Read does.
func Open(path string) ([]stream.Sample, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open elec2 data: %w", err)
	}
	defer func() { _ = file.Close() }()
	samples, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("read elec2 data from %s: %w", path, err)
	}
	return samples, nil
}

// Read reads the Electricity Market stream, as CSV or gzipped CSV with a
// header: half-hours of the New South Wales market, 1996 to 1998, in order. The
// inputs are the time of day, prices and demands of two states and the transfer
// between them, each in 0 to 1; the class is whether the price is above its
// average of the last day. An error names line and column.
//
// The data are from M. Harries, "Splice-2 comparative evaluation: Electricity
// pricing", UNSW, 1999. Neighbouring classes are alike: to repeat the last one is
// right 85 % of the time, so that a figure below that is no feat in itself.
func Read(r io.Reader) ([]stream.Sample, error) {
	plain := bufio.NewReader(r)
	if magic, _ := plain.Peek(2); string(magic) == "\x1f\x8b" {
		zipped, err := gzip.NewReader(plain)
		if err != nil {
			return nil, err
		}
		defer func() { _ = zipped.Close() }()
		plain = bufio.NewReader(zipped)
	}

	rows := csv.NewReader(plain)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: must be the header, got an empty file")
	}
	if err != nil {
		return nil, err
	}
	if !slices.Equal(header, columns) {
		return nil, fmt.Errorf("line 1: must be the header %q, got %q", columns, header)
	}

	var samples []stream.Sample
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}

		sample, err := elecSample(row)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}

		samples = append(samples, sample)
	}

	if len(samples) == 0 {
		return nil, errors.New("line 2: must be a sample, got the end of the file")
	}

	return samples, nil
}

func elecSample(row []string) (stream.Sample, error) {
	inputs := len(columns) - 1
	sample := stream.Sample{X: make([]float64, inputs)}
	for i, text := range row[:inputs] {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !(x >= 0 && x <= 1) {
			return stream.Sample{}, fmt.Errorf("%s: must be a number in 0 to 1, got %q", columns[i], text)
		}
		sample.X[i] = x
	}

	switch row[inputs] {
	case "0":
	case "1":
		sample.Y = true
	default:
		return stream.Sample{}, fmt.Errorf("%s: must be 0 or 1, got %q", columns[inputs], row[inputs])
	}

	return sample, nil
}
