package metric

import (
	"cmp"
	"encoding/json"
	"slices"
)

const (
	// metricBytes is what a metric's digest takes beside the bins of its sketch, with
	// its place in a map and the longest of names.
	metricBytes = 720
	slotBytes   = 16
	rangeBytes  = 16
	// countsBytes is what counts take beside the counts themselves: their place in a
	// list, and what is allocated for them beyond their length.
	countsBytes = 64
)

// Bytes is how much memory the digest of a metric takes, at most: 1 to 65 KiB, by how
// many bins its readings fall into. TestAMetricsDigestTakesNoMoreThanItSays measures it.
func (m *Summary) Bytes() int {
	bytes := metricBytes
	for i := range m.Bins {
		bytes += countsBytes + 8*len(m.Bins[i].Counts)
	}
	if m.Sketch != nil {
		bytes += slotBytes*len(m.Sketch.slots) + rangeBytes*cap(m.Sketch.merged)
	}
	return bytes
}

// shrinkable is what of a digest may grow large: the values of a category, and a sketch.
type shrinkable interface {
	json.Marshaler
	shrink(most int)
}

// Fit lets a digest take no more than so many bytes of a batch, at least 320 KiB, and
// returns how many it takes. Where it would take more, what is largest is made smaller,
// and tells of it: of categories the rarest values are counted among the others, and of
// sketches the bins nearest to zero are merged, so that what they can't tell apart any
// more is known to be unknown. All else stays as it is, and takes no more than that.
func (b *Batch) Fit(d *Digest, most int) (bytes int) {
	bytes = jsonBytes(b.formOf(d))
	if bytes <= most {
		return bytes
	}

	type part struct {
		shrinkable
		bytes int
	}
	var parts []part
	for _, values := range d.Categories {
		parts = append(parts, part{values, jsonBytes(values)})
	}
	for _, m := range d.Metrics {
		if m.Sketch != nil {
			parts = append(parts, part{m.Sketch, jsonBytes(m.Sketch)})
		}
	}

	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.bytes, b.bytes) })
	left := most - bytes
	for i := range parts {
		left += parts[i].bytes
	}
	for i := range parts { // what the smaller ones leave of their shares is the others'
		share := left / (len(parts) - i)
		if parts[i].bytes > share {
			parts[i].shrink(share)
		}
		left -= min(share, parts[i].bytes)
	}

	return jsonBytes(b.formOf(d))
}

// jsonBytes is how many bytes something valid takes in JSON.
func jsonBytes(v any) int {
	encoded, _ := json.Marshal(v)
	return len(encoded)
}

// shrink lets the values take no more than so many bytes in JSON, as far as they can.
func (v *Values) shrink(most int) {
	for text := most; text > 0 && jsonBytes(v) > most; text = text * 7 / 8 {
		v.Fit(text)
	}
}

// shrink lets the sketch take no more than so many bytes in JSON, as far as it can.
func (s *Sketch) shrink(most int) {
	if s.decode() != nil {
		return
	}
	for bins := s.Len() * 7 / 8; bins > 0 && jsonBytes(s) > most; bins = bins * 7 / 8 {
		s.encoded = nil
		s.mergeNearZero(bins)
	}
}
