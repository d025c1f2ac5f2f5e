package publisher_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/publisher"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// batchOf is a batch of a publisher whose folding ended at made.
func batchOf(id string, sequence int64, made time.Time) *metric.Batch {
	return &metric.Batch{Publisher: id, Sequence: sequence, Digests: []*metric.Digest{{FoldedUntil: made}}}
}

// take does with a batch what a monitor does, and says whether it is counted.
func take(t *publisher.Register, now time.Time, batch *metric.Batch) bool {
	last, isKnown := t.Sequence(batch.Publisher)
	if isKnown && batch.Sequence <= last {
		return false
	}
	refused := t.Refusal(batch, now)
	t.Hear(now, batch)
	return refused == nil
}

// A hub sends a batch again for a day, whatever happened to it before, and makes the next
// only when it knows. However often publishers are forgotten meanwhile, for want of room
// or since they are silent, no batch is counted twice; and whoever is remembered has all
// counted.
func TestNoBatchIsCountedTwiceWhoeverIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := &publisher.Known{}
		table := &publisher.Register{}
		table.Open(known)
		sent := map[string]*metric.Batch{} // the last of each
		made := map[string]time.Time{}
		counted := map[string]int{}
		now := noon
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 20 * time.Hour, 60 * time.Hour}).Draw(t, "so long"))
			},
			"a batch": func(t *rapid.T) {
				id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "of")
				sequence := int64(1)
				if sent[id] != nil {
					sequence = sent[id].Sequence + 1
				}
				_, isKnown := table.Sequence(id)

				sent[id] = batchOf(id, sequence, now)
				made[id] = now
				isCounted := take(table, now, sent[id])

				if isKnown {
					assert.True(t, isCounted, "%s %d", id, sequence)
				}
				if isCounted {
					counted[fmt.Sprint(id, sequence)]++
				}
			},
			"a redelivery": func(t *rapid.T) {
				id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "of")
				if sent[id] == nil || now.Sub(made[id]) > 24*time.Hour {
					return
				}
				if take(table, now, sent[id]) {
					counted[fmt.Sprint(id, sent[id].Sequence)]++
				}
			},
			"some are forgotten for want of room": func(t *rapid.T) {
				known.Forget(rapid.IntRange(0, 3).Draw(t, "left"))
				table.Open(known)
			},
			"": func(t *rapid.T) {
				for batch, times := range counted {
					assert.LessOrEqual(t, times, 1, batch)
				}
			},
		})
	})
}

func TestWhoHasClosedIsForgottenFirstAndThenWhoIsSilentForLongest(t *testing.T) {
	known := &publisher.Known{}
	table := &publisher.Register{}
	table.Open(known)
	for i, id := range []string{"first", "closed", "second", "closed later", "third"} {
		batch := batchOf(id, 1, noon)
		batch.Closed = id == "closed" || id == "closed later"
		table.Hear(noon.Add(time.Duration(i)*time.Second), batch)
	}

	var forgotten []string
	for left := 4; left >= 0; left-- {
		before := names(known)
		known.Forget(left)
		forgotten = append(forgotten, slices.DeleteFunc(before, func(id string) bool { return known.Publishers[id] != nil })...)
	}

	assert.Equal(t, []string{"closed", "closed later", "first", "second", "third"}, forgotten)
}

func names(known *publisher.Known) (all []string) {
	for id := range known.Publishers {
		all = append(all, id)
	}
	return all
}

func TestWhatIsMissingBeforeABatchIsCounted(t *testing.T) {
	table := &publisher.Register{}
	table.Open(&publisher.Known{})
	var gaps []int64
	for _, sequence := range []int64{7, 8, 11, 12} {
		gaps = append(gaps, table.Hear(noon, batchOf("p", sequence, noon)))
	}
	assert.Equal(t, []int64{0, 0, 2, 0}, gaps, "of one that was not heard before nothing is known to be missing")
}

// A silent minute is silence of one that reports by the minute, and none of a hundred
// that share five reports a minute.
func TestActiveAreThoseHeardOfWithinTwoOfTheirOwnIntervals(t *testing.T) {
	const every = time.Minute
	for _, c := range []struct {
		publishers int
		silent     time.Duration
		active     int
	}{
		{1, 2 * every, 1},
		{1, 2*every + time.Second, 0},
		{5, 2*every + time.Second, 0},
		{100, 2*every + time.Second, 100},
		{100, 40 * every, 100},
		{100, 40*every + time.Second, 0},
	} {
		known := &publisher.Known{}
		table := &publisher.Register{}
		table.Open(known)
		for i := range c.publishers {
			table.Hear(noon, batchOf(fmt.Sprint(i), 1, noon))
		}
		assert.Equal(t, c.active, known.Active(noon.Add(c.silent), every), "%d, silent for %s", c.publishers, c.silent)
	}
}
