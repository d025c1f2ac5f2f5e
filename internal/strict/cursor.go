package strict

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// Cursor reads JSON text once, from left to right, at a few nanoseconds a byte and
// without recursion, so that no nesting costs more than its bytes. Whoever uses it
// knows what must come next; anything else makes it bad, and a bad Cursor reads
// nothing any more. What is wrong it does not say: encoding/json explains that, for
// the few inputs that are explained.
//
// It takes what encoding/json takes of numbers and strings, to the last bit
// (metric.FuzzEventReader).
type Cursor struct {
	Data []byte
	At   int
	Bad  bool
}

// blank passes over white space.
func (c *Cursor) blank() {
	for c.At < len(c.Data) && isBlank(c.Data[c.At]) {
		c.At++
	}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// Next returns the byte that comes after white space, or 0 at the end.
func (c *Cursor) Next() byte {
	c.blank()
	if c.At >= len(c.Data) || c.Bad {
		return 0
	}
	return c.Data[c.At]
}

// take passes over one byte that must come next.
func (c *Cursor) take(b byte) {
	if c.Next() != b {
		c.Bad = true
		return
	}
	c.At++
}

// Open passes over the beginning of an object or a list, and says whether it has
// anything in it:
//
//	for more := c.open('{', '}'); more; more = c.more('}') {
func (c *Cursor) Open(begin, end byte) (more bool) {
	c.take(begin)
	if c.Next() == end {
		c.At++
		return false
	}
	return !c.Bad
}

// More passes over a comma, or over the end of an object or a list, and says
// whether something comes.
func (c *Cursor) More(end byte) bool {
	switch c.Next() {
	case ',':
		c.At++
		return true
	case end:
		c.At++
		return false
	}
	c.Bad = true
	return false
}

// Key reads the name of a member.
func (c *Cursor) Key() []byte {
	key := c.Text()
	c.take(':')
	return key
}

// Ended says that all was read, and was good.
func (c *Cursor) Ended() bool {
	c.blank()
	return !c.Bad && c.At == len(c.Data)
}

// Null passes over null, and says whether it was there.
func (c *Cursor) Null() bool { return c.word("null") }

// word passes over a bare word, and says whether it was there.
func (c *Cursor) word(word string) bool {
	if c.Next() != word[0] || !bytes.HasPrefix(c.Data[c.At:], []byte(word)) {
		return false
	}
	c.At += len(word)
	return true
}

// Bool reads true or false.
func (c *Cursor) Bool() bool {
	if c.word("true") {
		return true
	}
	if !c.word("false") {
		c.Bad = true
	}
	return false
}

// Text reads a string. Without escapes it is a part of the data.
func (c *Cursor) Text() []byte {
	if c.Next() != '"' {
		c.Bad = true
		return nil
	}

	var all byte
	for end := c.At + 1; end < len(c.Data); end++ {
		b := c.Data[end]
		switch {
		case b == '"':
			value := c.Data[c.At+1 : end]
			if all >= utf8.RuneSelf && !utf8.Valid(value) {
				c.Bad = true
				return nil
			}
			c.At = end + 1
			return value
		case b == '\\':
			return c.escaped()
		case b < ' ':
			c.Bad = true
			return nil
		}

		all |= b
	}

	c.Bad = true
	return nil
}

// escaped reads a string that has escapes.
func (c *Cursor) escaped() []byte {
	end := stringEnd(c.Data, c.At)
	var value string
	if !utf8.Valid(c.Data[c.At:end]) || json.Unmarshal(c.Data[c.At:end], &value) != nil {
		c.Bad = true
		return nil
	}

	c.At = end
	return []byte(value)
}

// stringEnd is where the string that begins at data[from] ends, or the data does.
func stringEnd(data []byte, from int) int {
	for i := from + 1; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(data)
}

// maxExactDigits is how many decimal digits a float64 holds exactly.
const maxExactDigits = 15

// powersOfTen are those that a float64 holds exactly, as far as they are needed.
var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// Float reads a number that a float64 can hold.
func (c *Cursor) Float() float64 {
	isNegative := c.Next() == '-'
	start := c.At
	if isNegative {
		c.At++
	}

	var mantissa uint64
	whole := c.digits(&mantissa)
	if whole == 0 || whole > 1 && c.Data[c.At-whole] == '0' {
		c.Bad = true
		return 0
	}

	fraction := 0
	if c.At < len(c.Data) && c.Data[c.At] == '.' {
		c.At++
		fraction = c.digits(&mantissa)
		if fraction == 0 {
			c.Bad = true
			return 0
		}
	}

	hasExponent := c.At < len(c.Data) && (c.Data[c.At] == 'e' || c.Data[c.At] == 'E')
	if !hasExponent && whole+fraction <= maxExactDigits { // both are exact, so the quotient is rounded once
		value := float64(mantissa) / powersOfTen[fraction]
		if isNegative {
			return -value
		}
		return value
	}
	if hasExponent && !c.exponent() {
		c.Bad = true
		return 0
	}

	value, err := strconv.ParseFloat(Borrowed(c.Data[start:c.At]), 64)
	if err != nil {
		c.Bad = true
		return 0
	}

	return value
}

// Borrowed is data as a string, for a parser that keeps it in its errors alone, which
// are dropped.
func Borrowed(data []byte) string {
	return unsafe.String(unsafe.SliceData(data), len(data)) //nolint:gosec // see above
}

// digits reads decimal digits, and returns how many. Where there are more than 19
// the mantissa overflows, and must not be used.
func (c *Cursor) digits(mantissa *uint64) int {
	from := c.At
	for ; c.At < len(c.Data) && c.Data[c.At]-'0' <= 9; c.At++ {
		*mantissa = *mantissa*10 + uint64(c.Data[c.At]-'0')
	}
	return c.At - from
}

// exponent passes over an exponent, and says whether it has digits.
func (c *Cursor) exponent() bool {
	c.At++
	if c.At < len(c.Data) && (c.Data[c.At] == '+' || c.Data[c.At] == '-') {
		c.At++
	}
	var ignored uint64
	return c.digits(&ignored) > 0
}

// Int reads a whole number that an int64 can hold, written without a fraction
// or an exponent.
func (c *Cursor) Int() int64 {
	isNegative := c.Next() == '-'
	start := c.At
	if isNegative {
		c.At++
	}

	var magnitude uint64
	count := c.digits(&magnitude)
	leads := count > 1 && c.Data[c.At-count] == '0'
	if count == 0 || leads || c.At < len(c.Data) && bytes.IndexByte([]byte(".eE"), c.Data[c.At]) >= 0 {
		c.Bad = true
		return 0
	}

	value, err := strconv.ParseInt(Borrowed(c.Data[start:c.At]), 10, 64)
	if err != nil {
		c.Bad = true
	}
	return value
}

// Element passes over whatever stands up to the next comma, or up to the end of
// the list that it is in, and returns it. Brackets and strings are kept together,
// and nothing else is asked of it: one element that is no JSON spoils no other.
func (c *Cursor) Element() []byte {
	c.blank()
	start, depth := c.At, 0
	for c.At < len(c.Data) {
		switch c.Data[c.At] {
		case '"':
			c.At = stringEnd(c.Data, c.At)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return bytes.TrimRight(c.Data[start:c.At], " \t\r\n")
			}
			depth--
		case ',':
			if depth == 0 {
				return bytes.TrimRight(c.Data[start:c.At], " \t\r\n")
			}
		}

		c.At++
	}

	return bytes.TrimRight(c.Data[start:], " \t\r\n")
}

// CountMembers counts the members of the object, or the elements of the list, that
// data is, by its commas. It builds nothing, so it may be asked of anything.
func CountMembers(data []byte) int {
	c := Cursor{Data: data}
	if b := c.Next(); b != '{' && b != '[' {
		return 0
	}
	c.At++
	if b := c.Next(); b == '}' || b == ']' || b == 0 {
		return 0
	}

	count := 1
	for c.Element(); c.At < len(c.Data) && c.Data[c.At] == ','; c.Element() {
		c.At++
		count++
	}

	return count
}

// ByteOrderMark is what some editors and shells put in front of a text.
var ByteOrderMark = []byte("\ufeff")
