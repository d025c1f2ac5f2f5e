package hub

import "github.com/modelvigil/modelvigil/metric"

// What the parts of a backlog take of memory beside the digests of further metrics.
// TestABacklogTakesNoMoreThanIsCounted measures them.
const (
	accumulatorBytes = 3200
	digestBytes      = 600
	// modelBytes is what a model takes that has no backlog, its goroutine included.
	modelBytes = 14 << 10
)

// bytesOf is how much memory a digest takes.
func bytesOf(d *metric.Digest) (bytes int64) {
	bytes = digestBytes
	for _, metric := range d.Metrics {
		bytes += int64(metric.Bytes())
	}
	for _, values := range d.Categories {
		bytes += int64(values.Bytes())
	}
	return bytes
}
