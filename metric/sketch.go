package metric

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// SketchAccuracy is the relative error of a sketch's quantiles.
	SketchAccuracy = 0.01
	// maxSketchBins bounds the bins on each side of zero; 512 span a factor of
	// 28,000 at 1 %. Beyond it the bins nearest to zero are merged.
	maxSketchBins = 512
	// maxSketchBytes bounds an encoded sketch that is read.
	maxSketchBytes = 16 << 10
)

// Sketch is a mergeable quantile sketch: a DDSketch (Masson, Rim & Lee, VLDB
// 2019) of relative accuracy SketchAccuracy with bounded bins. In JSON it is the
// base64 of DDSketch's own encoding, which is a third to a fifth of its protobuf
// form; it is decoded only when it is asked.
type Sketch struct {
	sketch             *ddsketch.DDSketch
	positive, negative *store.CollapsingLowestDenseStore // sketch's own; nil where it was decoded
	encoded            []byte
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
func NewSketch() *Sketch {
	positive, negative := store.NewCollapsingLowestDenseStore(maxSketchBins), store.NewCollapsingLowestDenseStore(maxSketchBins)
	return &Sketch{
		sketch:   ddsketch.NewDDSketch(sketchMapping, positive, negative),
		positive: positive, negative: negative,
	}
}

// minIndexable is the magnitude below which a sketch counts a value as zero.
var minIndexable = sketchMapping.MinIndexableValue()

// Add counts a value of magnitude at most MaxMagnitude, which the mapping's
// range holds by far. It is on the path of every published event: for sketches
// that NewSketch made it does what DDSketch.Add does, without its calls through
// interfaces, in about half the time (BenchmarkSketchAdd). To one that was
// received broken it adds nothing.
func (s *Sketch) Add(value float64) {
	switch {
	case s.positive == nil: // decoded, or a clone
		if s.decode() == nil {
			s.encoded = nil
			_ = s.sketch.Add(value)
		}
	case value > minIndexable:
		s.positive.Add(sketchMapping.Index(value))
	case value < -minIndexable:
		s.negative.Add(sketchMapping.Index(-value))
	default:
		_ = s.sketch.Add(0) // zero is in every sketch's range
	}
}

// Quantile returns the value at q, 0 to 1, within SketchAccuracy of it.
func (s *Sketch) Quantile(q float64) (float64, error) {
	if err := s.decode(); err != nil {
		return 0, err
	}
	return s.sketch.GetValueAtQuantile(q)
}

// AtRank returns the value of a rank, counted from 1, the smallest, within
// SketchAccuracy of it, or ErrMerged where that can't be told; of a rank beyond the
// last, the largest.
func (s *Sketch) AtRank(rank int64) (float64, error) {
	if err := s.decode(); err != nil {
		return 0, err
	}
	if s.sketch.IsEmpty() {
		return 0, errors.New("the sketch is empty")
	}

	// DDSketch's own GetValueAtQuantile takes a fraction and computes a rank from it
	// in floating point, which may come out as the one before.
	before := float64(rank - 1)
	negative, zero := s.sketch.GetNegativeValueStore(), s.sketch.GetZeroCount()
	switch {
	case before < negative.TotalCount():
		key := negative.KeyAtRank(negative.TotalCount() - 1 - before)
		return -s.sketch.Value(key), mergedError(negative, key)
	case before < negative.TotalCount()+zero || s.sketch.GetPositiveValueStore().IsEmpty():
		return 0, nil
	}

	positive := s.sketch.GetPositiveValueStore()
	key := positive.KeyAtRank(before - zero - negative.TotalCount())
	return s.sketch.Value(key), mergedError(positive, key)
}

// ErrMerged says that readings are so far apart that those of a rank, near zero, share
// a bin: their value is not known within SketchAccuracy.
var ErrMerged = errors.New("the readings span too much for this rank")

// mergedError is ErrMerged for the bin that others nearer to zero may have been merged
// into: the lowest, where the bins are as many as there may be.
func mergedError(bins store.Store, key int) error {
	least, err := bins.MinIndex()
	if err != nil || key > least {
		return nil
	}
	greatest, err := bins.MaxIndex()
	if err != nil || greatest-least+1 < maxSketchBins {
		return nil
	}
	return ErrMerged
}

// Merge adds all values of another sketch.
func (s *Sketch) Merge(other *Sketch) error {
	if err := errors.Join(s.decode(), other.decode()); err != nil {
		return err
	}
	s.encoded = nil
	return s.sketch.MergeWith(other.sketch)
}

// Clone returns a copy that shares nothing that changes.
func (s *Sketch) Clone() *Sketch {
	if s == nil {
		return nil
	}
	copied := &Sketch{encoded: s.encoded}
	if s.sketch != nil {
		copied.sketch = s.sketch.Copy()
	}
	return copied
}

// decode reads what was received. The decoder of DDSketch panics on some bytes
// that no sketch has, and they may come from anyone.
func (s *Sketch) decode() (err error) {
	if s.sketch != nil {
		return nil
	}

	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("decode sketch: %v", broken)
		}
	}()
	sketch, err := ddsketch.DecodeDDSketch(s.encoded, func() store.Store {
		return store.NewCollapsingLowestDenseStore(maxSketchBins)
	}, sketchMapping)
	if err == nil {
		err = errors.Join(checkBins(sketch.GetPositiveValueStore()), checkBins(sketch.GetNegativeValueStore()), checkBinCount(sketch.GetZeroCount()))
	}
	if err != nil {
		return fmt.Errorf("decode sketch: %w", err)
	}

	s.sketch = sketch
	return nil
}

// The bins that magnitudes up to MaxMagnitude fall into.
var firstBin, lastBin = sketchMapping.Index(minIndexable), sketchMapping.Index(MaxMagnitude)

// checkBins refuses bins that no reading falls into: merging them panics.
func checkBins(bins store.Store) (fault error) {
	bins.ForEach(func(index int, count float64) (stop bool) {
		fault = checkBinCount(count)
		if fault == nil && (index < firstBin || index > lastBin) {
			fault = fmt.Errorf("bin: must be %d to %d, got %d", firstBin, lastBin, index)
		}
		return fault != nil
	})
	return fault
}

func checkBinCount(count float64) error {
	if !(count >= 0 && count <= MaxCount) { // NaN compares false
		return fmt.Errorf("count: must be 0 to %d, got %v", int64(MaxCount), count)
	}
	return nil
}

// MarshalJSON writes the sketch as base64. The mapping is the wire version's and
// is left out.
func (s *Sketch) MarshalJSON() ([]byte, error) {
	encoded := s.encoded
	if encoded == nil && s.sketch != nil {
		s.sketch.Encode(&encoded, true)
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(encoded))
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
