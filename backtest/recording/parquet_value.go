package recording

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// conversion is how the values of a Parquet column are read; a way in which they can't
// be read is nil.
type conversion struct {
	kind   parquet.Kind
	number func(parquet.Value) (number float64, isNumber bool) // false: not measured
	time   func(parquet.Value) (at int64, zoneless bool, err error)
	text   func(parquet.Value) []byte
}

var errNoConversion = errors.New("is of a type that is not read")

// conversionOf is the conversion of a column's type. Times that are not adjusted to UTC
// say no zone.
func conversionOf(column *parquet.Column, zone *time.Location) (conversion, error) {
	c := conversion{kind: column.Type().Kind()}
	unit, adjusted, scale := time.Duration(0), true, int32(-1)
	isDate := false
	if logical := column.Type().LogicalType(); logical != nil {
		switch of := logical.Value.(type) {
		case *format.TimestampType:
			unit = of.Unit.Value.Duration()
			adjusted = of.IsAdjustedToUTC
		case *format.DateType:
			isDate = true
		case *format.DecimalType:
			scale = of.Scale
		case *format.Float16Type:
			return c, errNoConversion
		}
	} else if old := column.Type().ConvertedType(); old != nil {
		switch *old {
		case deprecated.TimestampMillis:
			unit = time.Millisecond
		case deprecated.TimestampMicros:
			unit = time.Microsecond
		case deprecated.Date:
			isDate = true
		}
	}

	switch c.kind {
	case parquet.Boolean:
		c.number = func(v parquet.Value) (float64, bool) {
			if v.Boolean() {
				return 1, true
			}
			return 0, true
		}
		c.text = func(v parquet.Value) []byte { return strconv.AppendBool(nil, v.Boolean()) }
	case parquet.Int32, parquet.Int64:
		c.ofInteger(unit, adjusted, isDate, scale, zone)
	case parquet.Int96:
		c.time = func(v parquet.Value) (int64, bool, error) { return int96Time(v.Int96()), false, nil }
	case parquet.Float:
		c.number = func(v parquet.Value) (float64, bool) { return float64(v.Float()), !isNaN(float64(v.Float())) }
		c.text = func(v parquet.Value) []byte { return strconv.AppendFloat(nil, float64(v.Float()), 'g', -1, 32) }
		c.time = func(v parquet.Value) (int64, bool, error) { return parseTime(c.text(v), zone) }
	case parquet.Double:
		c.number = func(v parquet.Value) (float64, bool) { return v.Double(), !isNaN(v.Double()) }
		c.text = func(v parquet.Value) []byte { return strconv.AppendFloat(nil, v.Double(), 'g', -1, 64) }
		c.time = func(v parquet.Value) (int64, bool, error) { return parseTime(c.text(v), zone) }
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if scale >= 0 {
			c.number = func(v parquet.Value) (float64, bool) { return decimal(v.ByteArray(), scale), true }
			break
		}
		c.text = func(v parquet.Value) []byte { return v.ByteArray() }
		c.time = func(v parquet.Value) (int64, bool, error) { return parseTime(v.ByteArray(), zone) }
	}

	return c, nil
}

func (c *conversion) ofInteger(unit time.Duration, adjusted, isDate bool, scale int32, zone *time.Location) {
	integer := func(v parquet.Value) int64 { return v.Int64() }
	if c.kind == parquet.Int32 {
		integer = func(v parquet.Value) int64 { return int64(v.Int32()) }
	}
	c.text = func(v parquet.Value) []byte { return strconv.AppendInt(nil, integer(v), 10) }
	c.time = func(v parquet.Value) (int64, bool, error) { return parseTime(c.text(v), zone) }
	switch {
	case unit > 0:
		c.time = func(v parquet.Value) (int64, bool, error) { return ofUnits(integer(v), unit, adjusted, zone) }
		return // no number
	case isDate:
		c.time = func(v parquet.Value) (int64, bool, error) { return ofUnits(integer(v), 24*time.Hour, false, zone) }
		return
	}

	divisor := 1.0
	if scale > 0 {
		divisor = math.Pow10(int(scale))
	}
	c.number = func(v parquet.Value) (float64, bool) { return float64(integer(v)) / divisor, true }
}

// words are numbers as text.
func (c *conversion) words() func(parquet.Value) []byte {
	number := c.number
	return func(v parquet.Value) []byte {
		value, _ := number(v)
		return strconv.AppendFloat(nil, value, 'g', -1, 64)
	}
}

func isNaN(value float64) bool { return math.IsNaN(value) }

// ofUnits is an instant so many units after 1970, on the clocks of zone where it is
// not adjusted to UTC.
func ofUnits(n int64, unit time.Duration, adjusted bool, zone *time.Location) (at int64, zoneless bool, err error) {
	if most := math.MaxInt64/int64(unit) - 1; n > most || n < -most {
		return 0, false, fmt.Errorf("timestamp: must lie in the years 1678 to 2261, got %d times %v", n, unit)
	}
	at = n * int64(unit)
	if adjusted || zone == time.UTC {
		return at, !adjusted, nil
	}

	clock := time.Unix(0, at).UTC()
	local := time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone)
	return local.UnixNano(), true, nil
}

// int96Time is an instant as Spark and Impala write it: nanoseconds of a day, and the
// day's Julian number.
func int96Time(v deprecated.Int96) int64 {
	const epoch = 2440588 // 1970-01-01
	nanoseconds := int64(v[1])<<32 | int64(v[0])
	return (int64(v[2])-epoch)*int64(24*time.Hour) + nanoseconds
}

// decimal is a number that is stored as an integer in two's complement, most
// significant byte first, times a power of ten.
func decimal(data []byte, scale int32) float64 {
	n := new(big.Int).SetBytes(data)
	if len(data) > 0 && data[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(data))))
	}
	value, _ := new(big.Float).SetInt(n).Float64()
	return value / math.Pow10(int(scale))
}
