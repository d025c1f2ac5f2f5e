package metric

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
)

// Counts are how many readings are in each of some bins, at most 255. In JSON they are
// packed, so that bins that are quantiles, and hold about as many readings each, take
// less than a byte: the base64, without padding, of the total as a varint, of how many
// bins there are, and of how far each is from the mean. That is told as unsigned, nought,
// -1, 1, -2 and so on being 0, 1, 2 and 3, by Golomb's and Rice's code, whose parameter
// comes first. A list of numbers is read, too.
type Counts []int64

// Total is the sum of all.
func (c Counts) Total() (total int64) {
	for _, count := range c {
		total += count
	}
	return total
}

// Add adds those of other bins between the same edges.
func (c Counts) Add(other Counts) {
	for i, count := range other {
		c[i] += count
	}
}

// MarshalJSON writes the counts packed.
func (c Counts) MarshalJSON() ([]byte, error) {
	if len(c) == 0 {
		return []byte(`""`), nil
	}
	total := binary.AppendUvarint(nil, uint64(c.Total())) //nolint:gosec // counts are not negative
	return json.Marshal(base64.RawStdEncoding.EncodeToString(c.pack(total)))
}

// pack appends the counts packed, one at least, but for their total.
func (c Counts) pack(to []byte) []byte {
	mean, apart := c.Total()/int64(len(c)), uint64(0)
	for _, count := range c {
		apart += unsigned(count - mean)
	}
	low := max(0, bits.Len64(apart/uint64(len(c)))-1)          // how many bits of each are told as they are
	w := bitWriter{bytes: append(to, byte(len(c)), byte(low))} //nolint:gosec // neither is more than 255
	for _, count := range c {
		far := unsigned(count - mean)
		for range far >> low {
			w.write(0)
		}
		w.write(1)
		for i := low - 1; i >= 0; i-- {
			w.write(byte(far >> i & 1))
		}
	}

	return w.bytes
}

// unsigned numbers the whole numbers from 0 on, the nearer to nought the lower.
func unsigned(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) } //nolint:gosec // bits are moved about

func signed(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// bitWriter appends bits to bytes, the highest bit of each first.
type bitWriter struct {
	bytes []byte
	room  int // in the last byte
}

func (w *bitWriter) write(bit byte) {
	if w.room == 0 {
		w.bytes = append(w.bytes, 0)
		w.room = 8
	}
	w.room--
	w.bytes[len(w.bytes)-1] |= bit << w.room
}

// bitReader reads what a bitWriter wrote.
type bitReader struct {
	bytes    []byte
	at       int
	isBroken bool
}

func (r *bitReader) read() (bit uint64) {
	if r.at >= 8*len(r.bytes) {
		r.isBroken = true
		return 1 // what ends whoever looks for one
	}
	bit = uint64(r.bytes[r.at/8] >> (7 - r.at%8) & 1)
	r.at++
	return bit
}

// UnmarshalJSON reads what MarshalJSON wrote, or a list of numbers.
func (c *Counts) UnmarshalJSON(data []byte) error {
	var list []int64
	if json.Unmarshal(data, &list) == nil {
		*c = list
		return c.Check()
	}

	var text string
	err := json.Unmarshal(data, &text)
	if err != nil {
		return errors.New("must be a list of whole numbers")
	}
	if text == "" {
		*c = Counts{}
		return nil
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	total, n := binary.Uvarint(packed)
	if err != nil || n <= 0 || total > maxTotal {
		return errPacked
	}
	return c.unpack(packed[n:], int64(total))
}

// unpack reads what pack appended of counts with a total.
func (c *Counts) unpack(packed []byte, total int64) error {
	if len(packed) < 2 || packed[0] == 0 || packed[1] > maxLowBits {
		return errPacked
	}

	*c = Counts{}
	r, low, mean := bitReader{bytes: packed[2:]}, packed[1], total/int64(packed[0])
	for range packed[0] {
		far := uint64(0)
		for r.read() == 0 {
			far++
		}
		for range low {
			far = far<<1 | r.read()
		}
		*c = append(*c, mean+signed(far))
	}
	if r.isBroken {
		return errPacked
	}
	return c.Check()
}

const (
	// maxLowBits is more than counts up to MaxCount are apart.
	maxLowBits = 48
	maxTotal   = 255 * MaxCount
)

var errPacked = errors.New("packed counts: broken off")

// Check refuses what no counts are.
func (c Counts) Check() error {
	for _, count := range c {
		if count < 0 || count > MaxCount {
			return fmt.Errorf("a count must be 0 to %d, got %d", int64(MaxCount), count)
		}
	}
	return nil
}
