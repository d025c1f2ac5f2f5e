package metric

import (
	"cmp"
	"errors"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

const (
	// SketchAccuracy is the relative error of a sketch's values.
	SketchAccuracy = 0.01
	// maxSketchBins bounds the bins of a sketch that hold readings: those of any
	// readings of one sign within 22 decades, at 1 %.
	maxSketchBins = 2560
	// firstSlots is how many slots a sketch begins with.
	firstSlots = 16
)

// Sketch is a mergeable quantile sketch: a DDSketch (Masson, Rim & Lee, VLDB 2019) of
// relative accuracy SketchAccuracy. It counts readings by bins that are so narrow that
// the middle of one is near enough to all that is in it. Only bins that hold something
// cost anything, so readings may lie as far apart as they like; where there are too
// many such bins, some are merged into ranges, of whose readings no more is known than
// that they lie there. In JSON it is the base64 of DDSketch's own encoding; it is
// decoded only when it is asked.
type Sketch struct {
	// slots are a hash table of the bins, with open addressing. A bin's place follows
	// from its number alone, so that neighbours lie side by side.
	slots []slot
	used  int // of the slots
	// merged are the ranges of merged bins, ascending and apart from each other. No
	// bin of slots lies in one.
	merged  []SketchCount
	encoded []byte // what was received; nil once it is decoded and has changed
	decoded bool   // encoded was
}

// slot holds a bin; one without readings is free.
type slot struct {
	bin   SketchBin
	count int64
}

// The mapping whose index is cheapest to compute at the smallest cost in bins.
var sketchMapping = func() *mapping.CubicallyInterpolatedMapping {
	m, err := mapping.NewCubicallyInterpolatedMapping(SketchAccuracy)
	if err != nil { // only for an accuracy outside 0 to 1
		panic(err)
	}
	return m
}()

// NewSketch returns an empty sketch.
func NewSketch() *Sketch { return &Sketch{slots: make([]slot, firstSlots)} }

// minIndexable is the magnitude below which a sketch counts a value as zero.
var minIndexable = sketchMapping.MinIndexableValue()

// Add counts a value of magnitude at most MaxMagnitude. It is on the path of every
// published event. To a sketch that was received broken it adds nothing.
func (s *Sketch) Add(value float64) {
	bin := SketchBinOf(value)
	if s.encoded != nil || s.merged != nil || len(s.slots) == 0 {
		if s.decode() == nil {
			s.encoded = nil
			s.put(bin, 1)
			s.fit()
		}
		return
	}

	for i := uint32(bin); ; i++ { //nolint:gosec // below zero it goes on from the other end
		at := &s.slots[i&uint32(len(s.slots)-1)] //nolint:gosec // slots are few
		if at.count == 0 {
			s.put(bin, 1)
			s.fit()
			return
		}
		if at.bin == bin {
			at.count++
			return
		}
	}
}

// put counts readings of one bin.
func (s *Sketch) put(bin SketchBin, count int64) {
	for i := range s.merged {
		if r := &s.merged[i]; r.First <= bin && bin <= r.Last {
			r.Count += count
			return
		}
	}

	at := s.find(bin)
	if at == nil || at.count == 0 {
		if 4*(s.used+1) > 3*len(s.slots) {
			s.resize(max(firstSlots, 2*len(s.slots)))
		}
		at = s.find(bin)
		at.bin = bin
		s.used++
	}
	at.count += count
}

// fit merges bins where there are more than a sketch may have. What it merges follows
// from what was counted, and not from the order.
func (s *Sketch) fit() {
	if s.Len() > maxSketchBins {
		s.mergeNearZero(maxSketchBins * 3 / 4)
	}
}

// find is the slot of a bin, or the free one where it would be.
func (s *Sketch) find(bin SketchBin) *slot {
	if len(s.slots) == 0 {
		return nil
	}
	for i := uint32(bin); ; i++ { //nolint:gosec // see Add
		at := &s.slots[i&uint32(len(s.slots)-1)] //nolint:gosec // see Add
		if at.count == 0 || at.bin == bin {
			return at
		}
	}
}

func (s *Sketch) resize(slots int) {
	before := s.slots
	s.slots = make([]slot, slots)
	for _, b := range before {
		if b.count > 0 {
			*s.find(b.bin) = b
		}
	}
}

// mergeRange counts readings that are somewhere in a range of bins, together with all
// that was counted there.
func (s *Sketch) mergeRange(r SketchCount) {
	apart := s.merged[:0]
	for _, other := range s.merged {
		if other.Last < r.First || r.Last < other.First {
			apart = append(apart, other)
			continue
		}
		r.First = min(r.First, other.First)
		r.Last = max(r.Last, other.Last)
		r.Count += other.Count
	}

	kept := make([]slot, 0, s.used)
	for _, b := range s.slots {
		switch {
		case b.count == 0:
		case r.First <= b.bin && b.bin <= r.Last:
			r.Count += b.count
		default:
			kept = append(kept, b)
		}
	}

	apart = append(apart, r)
	slices.SortFunc(apart, func(a, b SketchCount) int { return cmp.Compare(a.First, b.First) })
	s.merged = apart
	s.used = len(kept)
	clear(s.slots)
	for _, b := range kept {
		*s.find(b.bin) = b
	}
}

// mergeNearZero merges the bins nearest to zero until so many and one are left.
func (s *Sketch) mergeNearZero(most int) {
	all := s.inOrder()
	low, high := 0, len(all)
	for range most {
		if -all[low].First > all[high-1].Last {
			low++
		} else {
			high--
		}
	}
	s.mergeAll(all[low:high])
}

// mergeAll merges bins that follow each other into one range.
func (s *Sketch) mergeAll(bins []SketchCount) {
	if len(bins) > 1 {
		s.mergeRange(SketchCount{First: bins[0].First, Last: bins[len(bins)-1].Last})
	}
}

// Keep keeps the bins nearest to that of a rank, counted from 1, where there are more
// than so many, at least 8; what is below and above them is merged. It is for sketches that are
// asked for one rank, or for one near it when more is counted.
func (s *Sketch) Keep(rank int64, most int) error {
	err := s.decode()
	if err != nil || s.Len() <= most {
		return err
	}

	all := s.inOrder()
	at := atRank(all, rank)
	kept := most * 3 / 4 // so that it isn't done again for each bin that is new
	low := min(max(0, at-kept/2), len(all)-kept)
	s.encoded = nil
	s.mergeAll(all[:low])
	s.mergeAll(all[low+kept:])
	return nil
}

// ErrMerged says that readings of a rank were merged with others: their value is not
// known within SketchAccuracy.
var ErrMerged = errors.New("the readings span too much for this rank")

// AtRank returns the value of a rank, counted from 1, the smallest, within
// SketchAccuracy of it, or ErrMerged where that can't be told; of a rank beyond the
// last, the largest.
func (s *Sketch) AtRank(rank int64) (float64, error) {
	all, err := s.Bins()
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, errors.New("the sketch is empty")
	}

	at := all[atRank(all, rank)]
	if at.First < at.Last {
		return 0, ErrMerged
	}
	return at.First.middle(), nil
}

// atRank is the place of the bin that holds a rank.
func atRank(bins []SketchCount, rank int64) int {
	for i, bin := range bins {
		rank -= bin.Count
		if rank <= 0 {
			return i
		}
	}
	return len(bins) - 1
}

// Len is how many bins and ranges of bins there are; of one that was received and not
// asked yet, none.
func (s *Sketch) Len() int { return s.used + len(s.merged) }

// Merge adds all values of another sketch.
func (s *Sketch) Merge(other *Sketch) error {
	if err := errors.Join(s.decode(), other.decode()); err != nil {
		return err
	}

	s.encoded = nil
	for _, b := range other.slots {
		if b.count > 0 {
			s.put(b.bin, b.count)
		}
	}
	for _, r := range other.merged {
		s.mergeRange(r)
	}
	s.fit()
	return nil
}

// Clone returns a copy that shares nothing that changes.
func (s *Sketch) Clone() *Sketch {
	if s == nil {
		return nil
	}
	copied := *s
	copied.slots = slices.Clone(s.slots)
	copied.merged = slices.Clone(s.merged)
	return &copied
}
