package otlp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// cumulative gives a stream one value after the other.
type cumulative struct {
	streams *streamsOf
	at      uint64
}

func (c *cumulative) number(value float64) (float64, error) {
	c.at++
	p := &metrics.NumberDataPoint{TimeUnixNano: c.at, StartTimeUnixNano: 1}
	return c.streams.number((&series{}).stream(p), p, value)
}

func (c *cumulative) histogram(count uint64) error {
	c.at++
	p := &metrics.HistogramDataPoint{TimeUnixNano: c.at, StartTimeUnixNano: 1, Count: count, BucketCounts: []uint64{count}}
	_, err := c.streams.histogram((&series{}).stream(p), p)
	return err
}

func TestSeveralWritersOfOneStreamAreNamedAndNotSummed(t *testing.T) {
	c := &cumulative{streams: newStreams(time.Now()).of("")}
	var summed float64
	var several int
	for i := range 50 {
		for _, value := range []float64{1000 + float64(i), float64(i)} {
			since, err := c.number(value)
			if err == nil {
				summed += since
			}
			if several > 0 {
				require.ErrorIs(t, err, errSeveral, "from then on each is rejected")
			}
			if assert.ObjectsAreEqual(errSeveral, err) {
				several++
			}
		}
	}
	assert.Positive(t, several)
	assert.Less(t, summed, 3*1001.0, "no more than two jumps were taken before")

	h := &cumulative{streams: newStreams(time.Now()).of("")}
	for i := range uint64(10) {
		_ = h.histogram(1000 + i)
		_ = h.histogram(1 + i)
	}
	assert.ErrorIs(t, h.histogram(2000), errSeveral)
}

func TestAProcessThatRestartsNowAndThenIsOneWriter(t *testing.T) {
	c := &cumulative{streams: newStreams(time.Now()).of("")}
	for restart := range 20 {
		for i := range 150 {
			_, err := c.number(float64(i + 1))
			switch {
			case i == 0 && restart == 0:
				require.ErrorIs(t, err, errUnseen, "it began before us")
			case i == 0:
				require.ErrorIs(t, err, errFell)
			default:
				require.NoError(t, err)
			}
		}
	}
}
