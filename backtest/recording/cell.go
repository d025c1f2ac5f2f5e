package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// isAbsent says that a cell says that nothing was measured: in the words of pandas,
// of R and of databases.
func isAbsent(cell []byte) bool {
	switch len(cell) {
	case 0:
		return true
	case 2:
		return bytes.EqualFold(cell, []byte("NA")) || string(cell) == `\N`
	case 3:
		return bytes.EqualFold(cell, []byte("NaN")) || bytes.EqualFold(cell, []byte("N/A"))
	case 4:
		return bytes.EqualFold(cell, []byte("null")) || bytes.EqualFold(cell, []byte("None")) || string(cell) == "<NA>"
	}
	return false
}

var errNoNumber = errors.New("no number")

// fraction says what the fraction of a number stands behind.
type fraction int

const (
	decimalPoint  fraction = iota
	decimalEither          // a point, or a comma
	decimalComma           // points part thousands, as in 1.234,5
)

// parseNumber reads a number, or true and false as 1 and 0.
func parseNumber(cell []byte, sign fraction) (float64, error) {
	if sign == decimalComma && bytes.IndexByte(cell, '.') >= 0 {
		var is bool
		cell, is = withoutThousands(cell)
		if !is {
			return 0, errNoNumber
		}
	}
	if value, is := shortNumber(cell); is {
		return value, nil
	}
	value, err := strconv.ParseFloat(strict.Borrowed(cell), 64)
	if err == nil {
		return value, nil
	}

	switch {
	case bytes.EqualFold(cell, []byte("true")):
		return 1, nil
	case bytes.EqualFold(cell, []byte("false")):
		return 0, nil
	case sign != decimalPoint && bytes.Count(cell, []byte(",")) == 1 && bytes.IndexByte(cell, '.') < 0:
		return parseNumber(bytes.Replace(cell, []byte(","), []byte("."), 1), decimalPoint)
	}
	return 0, errNoNumber
}

// withoutThousands drops the points of a number that part its thousands, if they do.
func withoutThousands(cell []byte) (number []byte, is bool) {
	whole, fraction, _ := bytes.Cut(cell, []byte(","))
	for i, group := range bytes.Split(whole, []byte(".")) {
		if i > 0 && len(group) != 3 || bytes.IndexByte(fraction, '.') >= 0 {
			return nil, false
		}
		number = append(number, group...)
	}
	return append(number, cell[len(whole):]...), true
}

// powers are those of ten that a float64 holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14}

// shortNumber reads a number of at most 15 characters without an exponent, which comes
// out exactly as strconv's: digits and power are exact, so their quotient is rounded
// once.
func shortNumber(cell []byte) (float64, bool) {
	digits := cell
	isNegative := len(cell) > 0 && cell[0] == '-'
	if isNegative {
		digits = cell[1:]
	}
	if len(digits) == 0 || len(digits) > len(powers) {
		return 0, false
	}

	mantissa, point := uint64(0), -1
	for i, b := range digits {
		switch {
		case b >= '0' && b <= '9':
			mantissa = mantissa*10 + uint64(b-'0')
		case b == '.' && point < 0 && len(digits) > 1:
			point = i
		default:
			return 0, false
		}
	}

	value := float64(mantissa)
	if point >= 0 {
		value /= powers[len(digits)-1-point]
	}
	if isNegative {
		value = -value
	}
	return value, true
}

// checkMetric says what is wrong with a reading.
func checkMetric(name string, value float64) error {
	if math.Abs(value) <= metric.MaxMagnitude {
		return nil
	}
	return fmt.Errorf("%s: %w", name, metric.CheckReading(value))
}

func notANumber(name string, cell []byte) error {
	return fmt.Errorf("%s: must be a number, got %q", name, plain.Cut(string(cell), 40))
}
