package metric

import "github.com/DataDog/sketches-go/ddsketch/store"

const (
	// metricBytes is what a metric's digest takes beside the bins of its sketch, with
	// its place in a map and the longest of names.
	metricBytes = 720
	// binSlack is how many bins a sketch makes ahead of need, and binBytes what one
	// takes with what a growing list leaves unused.
	binSlack = 64
	binBytes = 14
)

// Bytes is how much memory the digest of a metric takes, at most: 1 to 15 KiB, by how
// far its readings are apart. TestAMetricsDigestTakesNoMoreThanItSays measures it.
func (m *Summary) Bytes() int {
	if m.Sketch == nil || m.Sketch.sketch == nil {
		return metricBytes
	}
	if m.Sketch.positive != nil {
		return metricBytes + bytesOf(m.Sketch.positive) + bytesOf(m.Sketch.negative)
	}
	return metricBytes + bytesOf(m.Sketch.sketch.GetPositiveValueStore()) + bytesOf(m.Sketch.sketch.GetNegativeValueStore())
}

func bytesOf[S store.Store](bins S) int {
	least, err := bins.MinIndex()
	if err != nil { // it is empty
		return 0
	}
	greatest, _ := bins.MaxIndex()
	return binBytes * min(maxSketchBins, greatest-least+1+binSlack)
}
