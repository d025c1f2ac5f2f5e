package metric

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	enc "github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// The encoding is DDSketch's: blocks of the bins of negative readings, of zero and of
// positive ones, each bin by its index and its count. A range of merged bins is two
// entries, in order of value: its first bin with a count of none, then its last with
// the count of all. Readers that know of no ranges pass over the first, and take all
// for readings of the last.

const (
	// maxSketchBytes bounds an encoded sketch.
	maxSketchBytes = 16 << 10
	// formerBins is how many bins in a row, of each sign, sketches had before they had
	// ranges. Of one that has just as many, the lowest may hold all that is nearer to
	// zero. A sketch of today that has as many by chance says that its lowest is a
	// range from that bin to that bin.
	formerBins = 512
)

// entry is a bin of an encoding.
type entry struct {
	bin   SketchBin
	count int64 // none: a range begins, which the next entry ends
}

// MarshalJSON writes the sketch as base64. The mapping is the wire version's and
// is left out.
func (s *Sketch) MarshalJSON() ([]byte, error) {
	encoded := s.encoded
	if encoded == nil {
		encoded = s.encode()
	}
	if len(encoded) > maxSketchBytes { // by counts in the millions; half the bins fit with any
		s = s.Clone()
		s.mergeNearZero(maxSketchBins / 2)
		encoded = s.encode()
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(encoded))
}

// encode writes DDSketch's encoding.
func (s *Sketch) encode() (encoded []byte) {
	bins := s.inOrder()
	entries := make([]entry, 0, len(bins)+1)
	for _, bin := range bins {
		if bin.First < bin.Last {
			entries = append(entries, entry{bin: bin.First})
		}
		entries = append(entries, entry{bin.Last, bin.Count})
	}
	if len(s.merged) == 0 {
		entries = tellFromFormer(entries)
	}

	negative, positive := sides(entries)
	encoded = encodeSide(encoded, enc.FlagTypeNegativeStore, entries[:negative])
	for _, zero := range entries[negative:positive] {
		enc.EncodeFlag(&encoded, enc.FlagZeroCountVarFloat)
		enc.EncodeVarfloat64(&encoded, float64(zero.count))
	}
	return encodeSide(encoded, enc.FlagTypePositiveStore, entries[positive:])
}

// sides are how many entries are of negative bins, and how many not of positive ones.
func sides(entries []entry) (negative, positive int) {
	for positive < len(entries) && entries[positive].bin <= 0 {
		if entries[positive].bin < 0 {
			negative++
		}
		positive++
	}
	return negative, positive
}

// isAsFormer says that the bins of a side are as many in a row as there once were at
// most.
func isAsFormer(side []entry) bool {
	return len(side) > 0 && side[len(side)-1].bin-side[0].bin+1 == formerBins
}

// tellFromFormer makes a range of one bin where a reader would take it for the merged
// one of former times.
func tellFromFormer(entries []entry) []entry {
	negative, positive := sides(entries)
	if isAsFormer(entries[positive:]) {
		entries = slices.Insert(entries, positive, entry{bin: entries[positive].bin})
	}
	if isAsFormer(entries[:negative]) {
		entries = slices.Insert(entries, negative-1, entry{bin: entries[negative-1].bin})
	}
	return entries
}

// encodeSide writes the bins of one sign, in the shorter of two forms.
func encodeSide(encoded []byte, side enc.FlagType, entries []entry) []byte {
	if len(entries) == 0 {
		return encoded
	}

	hasRange := false
	singly := enc.Uvarint64Size(uint64(len(entries)))
	counts := 0
	before := 0
	for _, e := range entries {
		hasRange = hasRange || e.count == 0
		size := enc.Varfloat64Size(float64(e.count))
		singly += enc.Varint64Size(int64(e.bin.index()-before)) + size
		counts += size
		before = e.bin.index()
	}

	first, last := entries[0].bin, entries[len(entries)-1].bin
	width := int(last-first) + 1
	step := int64(last.index() - first.index())
	if step != 0 {
		step /= int64(width - 1) // downwards, for negative readings
	}
	inARow := enc.Uvarint64Size(uint64(width)) + enc.Varint64Size(int64(first.index())) + 1 + counts + width - len(entries) //nolint:gosec // of some 100,000
	if !hasRange && inARow <= singly {
		enc.EncodeFlag(&encoded, enc.NewFlag(side, enc.BinEncodingContiguousCounts))
		enc.EncodeUvarint64(&encoded, uint64(width)) //nolint:gosec // see above
		enc.EncodeVarint64(&encoded, int64(first.index()))
		enc.EncodeVarint64(&encoded, step)
		for bin := first; bin <= last; bin++ {
			count := int64(0)
			if entries[0].bin == bin {
				count = entries[0].count
				entries = entries[1:]
			}
			enc.EncodeVarfloat64(&encoded, float64(count))
		}
		return encoded
	}

	enc.EncodeFlag(&encoded, enc.NewFlag(side, enc.BinEncodingIndexDeltasAndCounts))
	enc.EncodeUvarint64(&encoded, uint64(len(entries)))
	before = 0
	for _, e := range entries {
		enc.EncodeVarint64(&encoded, int64(e.bin.index()-before))
		enc.EncodeVarfloat64(&encoded, float64(e.count))
		before = e.bin.index()
	}
	return encoded
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Sketch) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	return s.readBase64([]byte(text))
}

// readBase64 takes an encoded sketch; it is decoded when it is asked.
func (s *Sketch) readBase64(text []byte) error {
	fault := fmt.Errorf("sketch: must be at most %d bytes in base64", maxSketchBytes)
	if len(text) > base64.StdEncoding.EncodedLen(maxSketchBytes) {
		return fault
	}

	encoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(encoded, text)
	if err != nil || n > maxSketchBytes {
		return fault
	}
	*s = Sketch{encoded: encoded[:n]}
	return nil
}

// decode reads what was received, which may come from anyone.
func (s *Sketch) decode() error {
	if s.encoded == nil || s.decoded {
		return nil
	}

	var d decoder
	err := d.read(s.encoded)
	if err != nil {
		return fmt.Errorf("decode sketch: %w", err)
	}
	d.sketch.fit()
	d.sketch.encoded = s.encoded
	d.sketch.decoded = true
	*s = d.sketch
	return nil
}

// decoder makes a sketch of its encoding.
type decoder struct {
	sketch Sketch
	// begun is the bin that a range began with which has not ended yet.
	begun  SketchBin
	isOpen bool
	ranges bool // there are some
	sides  [2]reach
}

// reach is from where to where the bins of one sign go.
type reach struct {
	least, greatest SketchBin
	isAny           bool
}

func (d *decoder) read(b []byte) error {
	for len(b) > 0 {
		flag, err := enc.DecodeFlag(&b)
		if err == nil {
			err = d.block(&b, flag)
		}
		if err != nil {
			return err
		}
	}
	if d.isOpen {
		return errors.New("a range of bins does not end")
	}

	if d.ranges {
		return nil
	}
	for i, side := range d.sides {
		if !side.isAny || side.greatest-side.least+1 != formerBins {
			continue
		}
		merged := SketchCount{First: 1, Last: side.least}
		if i == 0 {
			merged = SketchCount{First: side.greatest, Last: -1}
		}
		if merged.First < merged.Last {
			d.sketch.mergeRange(merged)
		}
	}
	return nil
}

func (d *decoder) block(b *[]byte, flag enc.Flag) error {
	switch {
	case flag == enc.FlagZeroCountVarFloat:
		count, err := enc.DecodeVarfloat64(b)
		if err != nil {
			return err
		}
		return d.entry(0, count)
	case flag.Type() == enc.FlagTypePositiveStore:
		return d.side(b, flag.SubFlag(), 1)
	case flag.Type() == enc.FlagTypeNegativeStore:
		return d.side(b, flag.SubFlag(), -1)
	case flag.Type() == enc.FlagTypeIndexMapping:
		used, err := mapping.Decode(b, flag)
		if err == nil && !sketchMapping.Equals(used) {
			err = errors.New("its bins are others")
		}
		return err
	}

	return errors.New("a block of an unknown kind")
}

// side reads the bins of one sign.
func (d *decoder) side(b *[]byte, form enc.SubFlag, sign int64) error {
	n, err := enc.DecodeUvarint64(b)
	if err != nil {
		return err
	}
	index, step := int64(0), int64(0)
	inARow := form == enc.BinEncodingContiguousCounts
	if inARow {
		var stepErr error
		index, err = enc.DecodeVarint64(b)
		step, stepErr = enc.DecodeVarint64(b)
		err = errors.Join(err, stepErr)
	} else if form != enc.BinEncodingIndexDeltasAndCounts && form != enc.BinEncodingIndexDeltas {
		err = errors.New("bins of an unknown form")
	}

	for i := uint64(0); i < n && err == nil; i++ {
		count := 1.0
		switch {
		case !inARow:
			step, err = enc.DecodeVarint64(b)
			index += step
		case i > 0:
			index += step
		}
		if err == nil && form != enc.BinEncodingIndexDeltas {
			count, err = enc.DecodeVarfloat64(b)
		}
		if err == nil && (index < int64(firstIndex) || index > int64(lastIndex)) {
			err = fmt.Errorf("bin: must be %d to %d, got %d", firstIndex, lastIndex, index)
		}
		if err == nil && (count != 0 || !inARow) {
			err = d.entry(SketchBin(sign*(index-int64(firstIndex)+1)), count) //nolint:gosec // of some 100,000
		}
	}
	return err
}

// entry takes a bin.
func (d *decoder) entry(bin SketchBin, count float64) error {
	if !(count >= 0 && count <= MaxCount) || count != math.Trunc(count) { // NaN compares false
		return fmt.Errorf("count: must be a whole number, 0 to %d, got %v", int64(MaxCount), count)
	}
	if bin != 0 && count > 0 {
		side := &d.sides[0]
		if bin > 0 {
			side = &d.sides[1]
		}
		if !side.isAny {
			*side = reach{bin, bin, true}
		}
		side.least = min(side.least, bin)
		side.greatest = max(side.greatest, bin)
	}

	switch {
	case count == 0 && d.isOpen:
		return errors.New("a range of bins begins in another")
	case count == 0:
		d.begun = bin
		d.isOpen = true
		d.ranges = true
	case d.isOpen && d.begun > bin:
		return errors.New("a range of bins ends before it begins")
	case d.isOpen && d.begun < bin:
		d.isOpen = false
		d.sketch.mergeRange(SketchCount{d.begun, bin, int64(count)})
	default:
		d.isOpen = false
		d.sketch.put(bin, int64(count))
	}
	return nil
}
