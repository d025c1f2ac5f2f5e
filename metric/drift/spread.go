package drift

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/modelvigil/modelvigil/metric"
)

// Spread is a distribution of numbers whose edges are not known yet: how many readings
// are in each bin that a sketch would count them in. Where it has more bins than it may
// keep it merges each two neighbours, as often as it must; what is between two bins is
// a boundary of the sketch's all the same.
type Spread struct {
	bins  []spreadBin // in order of value
	level uint        // bins are 2^level of a sketch's
	count int64
	mean  float64
	// squares is the sum of the squared distances from the mean.
	squares float64
}

// spreadBin are the sketch's bins from first to last, which are multiples of 2^level.
type spreadBin struct {
	first, last metric.SketchBin // the latter exclusive
	Count       int64
}

// bounds are the smallest float of the bin, and the smallest above it.
func (b *spreadBin) bounds() (low, high float64) { return b.first.Floor(), b.last.Floor() }

// Count is how many readings there are.
func (s *Spread) Count() int64 { return s.count }

// Add counts a reading. most bounds the bins that are kept.
func (s *Spread) Add(value float64, most int) {
	bin := metric.SketchBinOf(value)
	s.put(bin, bin, 1)
	s.merge(1, value, 0)
	s.fit(most)
}

// AddSummary counts the readings of a digest's metric, and says whether it could: many
// readings are told apart by a sketch alone.
func (s *Spread) AddSummary(summary *metric.Summary, most int) bool {
	if summary.Count == 1 {
		s.Add(summary.Min, most)
		return true
	}
	if summary.Sketch == nil {
		return false
	}
	bins, err := summary.Sketch.Bins()
	if err != nil {
		return false
	}

	mean := summary.Sum / float64(summary.Count)
	squares := 0.0
	if summary.Min == summary.Max { // the sum is rounded, and the readings are not
		mean = summary.Min
	}
	total := int64(0)
	for _, bin := range bins {
		s.put(bin.First, bin.Last, bin.Count)
		total += bin.Count
		low, high := bin.Last.Floor(), (bin.Last + 1).Floor()
		distance := min(max(low+(high-low)/2, summary.Min), summary.Max) - mean
		squares += float64(float64(bin.Count) * float64(distance*distance))
	}
	s.merge(total, mean, squares)
	s.fit(most)
	return true
}

// Merge adds another spread.
func (s *Spread) Merge(other *Spread, most int) {
	for _, bin := range other.bins {
		s.put(bin.first, bin.last-1, bin.Count)
	}
	s.merge(other.count, other.mean, other.squares)
	s.fit(most)
}

// merge adds moments, by the method of Chan, Golub and LeVeque.
func (s *Spread) merge(count int64, mean, squares float64) {
	if count == 0 {
		return
	}
	total := s.count + count
	apart := mean - s.mean
	share := float64(count) / float64(total)
	s.squares += squares + float64(float64(apart*apart)*float64(float64(s.count)*share))
	s.mean += float64(apart * share)
	s.count = total
}

// deviation is the standard deviation of the readings.
func (s *Spread) deviation() float64 {
	if s.count == 0 || len(s.bins) == 1 && s.squares <= 0 {
		return 0
	}
	return math.Sqrt(max(0, s.squares) / float64(s.count))
}

// put counts readings that are somewhere in the sketch's bins from first to last.
func (s *Spread) put(first, last metric.SketchBin, count int64) {
	first = first >> s.level << s.level
	last = (last>>s.level + 1) << s.level
	at, found := slices.BinarySearchFunc(s.bins, first, func(b spreadBin, bin metric.SketchBin) int {
		switch {
		case b.last <= bin:
			return -1
		case b.first > bin:
			return 1
		}
		return 0
	})
	if !found && (at == len(s.bins) || s.bins[at].first >= last) {
		s.bins = slices.Insert(s.bins, at, spreadBin{first, last, count})
		return
	}

	// What overlaps becomes one bin.
	bin := &s.bins[at]
	bin.first = min(bin.first, first)
	bin.last = max(bin.last, last)
	bin.Count += count
	end := at + 1
	for end < len(s.bins) && s.bins[end].first < s.bins[at].last {
		s.bins[at].last = max(s.bins[at].last, s.bins[end].last)
		s.bins[at].Count += s.bins[end].Count
		end++
	}
	s.bins = slices.Delete(s.bins, at+1, end)
}

// fit merges neighbours until there are no more bins than may be kept.
func (s *Spread) fit(most int) {
	for len(s.bins) > most {
		s.level++
		before := s.bins
		s.bins = make([]spreadBin, 0, len(before)/2+1)
		for _, bin := range before {
			s.put(bin.first, bin.last-1, bin.Count)
		}
	}
}

// Freeze makes a reference of the spread: its inner edges are those boundaries of the
// sketch's bins that are nearest to the quantiles i/32, so that its counts are exact.
// missing is how many events had no reading.
func (s *Spread) Freeze(missing int64) *Reference {
	var edges []float64
	var counts Counts
	before := int64(0) // readings below the bin at
	counted := int64(0)
	at := 0
	for i := int64(1); i <= MaxEdges && len(s.bins) > 0; i++ {
		// The quantile is at a count of total*i/32; all is computed in 32nds.
		wanted := s.count * i
		for at < len(s.bins)-1 && (before+s.bins[at].Count)*(MaxEdges+1) <= wanted {
			before += s.bins[at].Count
			at++
		}
		low, high := s.bins[at].bounds()
		edge, below := low, before
		if wanted-before*(MaxEdges+1) > (before+s.bins[at].Count)*(MaxEdges+1)-wanted {
			edge = high
			below += s.bins[at].Count
		}
		if len(edges) == 0 || edges[len(edges)-1] != edge {
			edges = append(edges, edge)
			counts = append(counts, below-counted)
			counted = below
		}
	}

	return &Reference{
		Edges: edges, Counts: append(counts, s.count-counted), Mean: significant(s.mean), Deviation: s.deviation(), Missing: missing,
	}
}

// MarshalJSON writes the spread packed: its moments, its level, and of each bin how far
// it is from the one before, how wide it is, and its count.
func (s *Spread) MarshalJSON() ([]byte, error) {
	packed := binary.LittleEndian.AppendUint64(nil, math.Float64bits(s.mean))
	packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(s.squares))
	packed = binary.AppendUvarint(packed, uint64(s.level))
	before := metric.SketchBin(0)
	for _, bin := range s.bins {
		// Most bins are as narrow as they can be, and say so in one bit of their distance.
		width := uint64((bin.last - bin.first) >> s.level) //nolint:gosec // bins are never empty
		isWide := int64(0)
		if width > 1 {
			isWide = 1
		}
		packed = binary.AppendVarint(packed, int64((bin.first-before)>>s.level)<<1|isWide)
		if isWide == 1 {
			packed = binary.AppendUvarint(packed, width)
		}
		packed = binary.AppendUvarint(packed, uint64(bin.Count)) //nolint:gosec // a count
		before = bin.last
	}

	return json.Marshal(base64.RawStdEncoding.EncodeToString(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Spread) UnmarshalJSON(data []byte) error {
	var text string
	err := json.Unmarshal(data, &text)
	if err != nil {
		return err
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(packed) < 17 {
		return errBroken
	}

	*s = Spread{
		mean:    math.Float64frombits(binary.LittleEndian.Uint64(packed)),
		squares: math.Float64frombits(binary.LittleEndian.Uint64(packed[8:])),
	}
	r := reader{left: packed[16:]}
	s.level = uint(min(r.unsigned(), 31))
	before := metric.SketchBin(0)
	for len(r.left) > 0 && !r.isBroken {
		ahead := r.signed()
		width := uint64(1)
		if ahead&1 == 1 {
			width = r.unsigned()
		}
		bin := spreadBin{first: before + metric.SketchBin(ahead>>1)<<s.level} //nolint:gosec // our own writing
		bin.last = bin.first + metric.SketchBin(width)<<s.level
		bin.Count = int64(r.unsigned()) //nolint:gosec // our own writing
		s.bins = append(s.bins, bin)
		s.count += bin.Count
		before = bin.last
	}

	if r.isBroken {
		return errBroken
	}
	return nil
}

var errBroken = errors.New("a spread: broken off")

// reader reads varints.
type reader struct {
	left     []byte
	isBroken bool
}

func (r *reader) unsigned() uint64 {
	value, n := binary.Uvarint(r.left)
	r.pass(n)
	return value
}

func (r *reader) signed() int64 {
	value, n := binary.Varint(r.left)
	r.pass(n)
	return value
}

func (r *reader) pass(n int) {
	if n <= 0 {
		r.isBroken = true
		n = len(r.left)
	}
	r.left = r.left[n:]
}
