package monitor

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// jsonCursor reads JSON text once, from left to right, at a few nanoseconds a byte and
// without recursion, so that no nesting costs more than its bytes. Whoever uses it
// knows what must come next; anything else makes it bad, and a bad jsonCursor reads
// nothing any more. What is wrong it does not say: encoding/json explains that, for
// the few inputs that are explained.
//
// It takes what encoding/json takes of numbers and strings, to the last bit
// (FuzzCursorReadsAsEncodingJSON).
type jsonCursor struct {
	data  []byte
	at    int
	isBad bool
}

// blank passes over white space.
func (c *jsonCursor) blank() {
	for c.at < len(c.data) && isBlank(c.data[c.at]) {
		c.at++
	}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// next returns the byte that comes after white space, or 0 at the end.
func (c *jsonCursor) next() byte {
	c.blank()
	if c.at >= len(c.data) || c.isBad {
		return 0
	}
	return c.data[c.at]
}

// take passes over one byte that must come next.
func (c *jsonCursor) take(b byte) {
	if c.next() != b {
		c.isBad = true
		return
	}
	c.at++
}

// open passes over the beginning of an object or a list, and says whether it has
// anything in it:
//
//	for more := c.open('{', '}'); more; more = c.more('}') {
func (c *jsonCursor) open(begin, end byte) (more bool) {
	c.take(begin)
	if c.next() == end {
		c.at++
		return false
	}
	return !c.isBad
}

// more passes over a comma, or over the end of an object or a list, and says
// whether something comes.
func (c *jsonCursor) more(end byte) bool {
	switch c.next() {
	case ',':
		c.at++
		return true
	case end:
		c.at++
		return false
	}
	c.isBad = true
	return false
}

// key reads the name of a member.
func (c *jsonCursor) key() []byte {
	key := c.text()
	c.take(':')
	return key
}

// ended says that all was read, and was good.
func (c *jsonCursor) ended() bool {
	c.blank()
	return !c.isBad && c.at == len(c.data)
}

// null passes over null, and says whether it was there.
func (c *jsonCursor) null() bool { return c.word("null") }

// word passes over a bare word, and says whether it was there.
func (c *jsonCursor) word(word string) bool {
	if c.next() != word[0] || !bytes.HasPrefix(c.data[c.at:], []byte(word)) {
		return false
	}
	c.at += len(word)
	return true
}

// boolean reads true or false.
func (c *jsonCursor) boolean() bool {
	if c.word("true") {
		return true
	}
	if !c.word("false") {
		c.isBad = true
	}
	return false
}

// text reads a string. Without escapes it is a part of the data.
func (c *jsonCursor) text() []byte {
	if c.next() != '"' {
		c.isBad = true
		return nil
	}

	var all byte
	for end := c.at + 1; end < len(c.data); end++ {
		b := c.data[end]
		switch {
		case b == '"':
			value := c.data[c.at+1 : end]
			if all >= utf8.RuneSelf && !utf8.Valid(value) {
				c.isBad = true
				return nil
			}
			c.at = end + 1
			return value
		case b == '\\':
			return c.escaped()
		case b < ' ':
			c.isBad = true
			return nil
		}
		all |= b
	}

	c.isBad = true
	return nil
}

// escaped reads a string that has escapes.
func (c *jsonCursor) escaped() []byte {
	end := stringEnd(c.data, c.at)
	var value string
	if !utf8.Valid(c.data[c.at:end]) || json.Unmarshal(c.data[c.at:end], &value) != nil {
		c.isBad = true
		return nil
	}

	c.at = end
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

// number reads a number that a float64 can hold.
func (c *jsonCursor) number() float64 {
	isNegative := c.next() == '-'
	start := c.at
	if isNegative {
		c.at++
	}

	var mantissa uint64
	whole := c.digits(&mantissa)
	if whole == 0 || whole > 1 && c.data[c.at-whole] == '0' {
		c.isBad = true
		return 0
	}

	fraction := 0
	if c.at < len(c.data) && c.data[c.at] == '.' {
		c.at++
		if fraction = c.digits(&mantissa); fraction == 0 {
			c.isBad = true
			return 0
		}
	}

	hasExponent := c.at < len(c.data) && (c.data[c.at] == 'e' || c.data[c.at] == 'E')
	if !hasExponent && whole+fraction <= maxExactDigits { // both are exact, so the quotient is rounded once
		value := float64(mantissa) / powersOfTen[fraction]
		if isNegative {
			return -value
		}
		return value
	}
	if hasExponent && !c.exponent() {
		c.isBad = true
		return 0
	}

	value, err := strconv.ParseFloat(borrowed(c.data[start:c.at]), 64)
	if err != nil {
		c.isBad = true
		return 0
	}
	return value
}

// borrowed is data as a string, for a parser that keeps it in its errors alone, which
// are dropped.
func borrowed(data []byte) string {
	return unsafe.String(unsafe.SliceData(data), len(data)) //nolint:gosec // see above
}

// digits reads decimal digits, and returns how many. Where there are more than 19
// the mantissa overflows, and must not be used.
func (c *jsonCursor) digits(mantissa *uint64) int {
	from := c.at
	for ; c.at < len(c.data) && c.data[c.at]-'0' <= 9; c.at++ {
		*mantissa = *mantissa*10 + uint64(c.data[c.at]-'0')
	}
	return c.at - from
}

// exponent passes over an exponent, and says whether it has digits.
func (c *jsonCursor) exponent() bool {
	c.at++
	if c.at < len(c.data) && (c.data[c.at] == '+' || c.data[c.at] == '-') {
		c.at++
	}
	var ignored uint64
	return c.digits(&ignored) > 0
}

// integer reads a whole number that an int64 can hold, written without a fraction
// or an exponent.
func (c *jsonCursor) integer() int64 {
	isNegative := c.next() == '-'
	start := c.at
	if isNegative {
		c.at++
	}

	var magnitude uint64
	count := c.digits(&magnitude)
	leads := count > 1 && c.data[c.at-count] == '0'
	if count == 0 || leads || c.at < len(c.data) && bytes.IndexByte([]byte(".eE"), c.data[c.at]) >= 0 {
		c.isBad = true
		return 0
	}

	value, err := strconv.ParseInt(borrowed(c.data[start:c.at]), 10, 64)
	if err != nil {
		c.isBad = true
	}
	return value
}

// element passes over whatever stands up to the next comma, or up to the end of
// the list that it is in, and returns it. Brackets and strings are kept together,
// and nothing else is asked of it: one element that is no JSON spoils no other.
func (c *jsonCursor) element() []byte {
	c.blank()
	start, depth := c.at, 0
	for c.at < len(c.data) {
		switch c.data[c.at] {
		case '"':
			c.at = stringEnd(c.data, c.at)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return bytes.TrimRight(c.data[start:c.at], " \t\r\n")
			}
			depth--
		case ',':
			if depth == 0 {
				return bytes.TrimRight(c.data[start:c.at], " \t\r\n")
			}
		}
		c.at++
	}
	return bytes.TrimRight(c.data[start:], " \t\r\n")
}

// countMembers counts the members of the object, or the elements of the list, that
// data is, by its commas. It builds nothing, so it may be asked of anything.
func countMembers(data []byte) int {
	c := jsonCursor{data: data}
	if b := c.next(); b != '{' && b != '[' {
		return 0
	}
	c.at++
	if b := c.next(); b == '}' || b == ']' || b == 0 {
		return 0
	}

	count := 1
	for c.element(); c.at < len(c.data) && c.data[c.at] == ','; c.element() {
		c.at++
		count++
	}
	return count
}

// byteOrderMark is what some editors and shells put in front of a text.
var byteOrderMark = []byte("\ufeff")
