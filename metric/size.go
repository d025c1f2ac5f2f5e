package metric

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
