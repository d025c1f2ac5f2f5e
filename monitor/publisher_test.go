package monitor_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// batchOf is a batch of one event for each instant at which folding ended.
func batchOf(publisher string, sequence int64, until ...time.Time) *metric.Batch {
	b := &metric.Batch{Version: 1, ModelName: "fraud", Publisher: publisher, Sequence: sequence, Digests: []*metric.Digest{}}
	for _, at := range until {
		b.Digests = append(b.Digests, metrictest.DigestOf(event(at, 0.95, 100, 0), at))
	}
	return b
}

func closing(b *metric.Batch) *metric.Batch {
	b.Closed = true
	return b
}

// oneShots are processes that publish one batch each and close, ten a second from
// an instant on; it returns when the next would.
func oneShots(m *monitor.Machine, from time.Time, n int) time.Time {
	for range n {
		m.ObserveBatch(from, closing(batchOf(fmt.Sprint("one-shot of ", from.UnixMilli()), 1, from)))
		from = from.Add(100 * time.Millisecond)
	}
	return from
}

func TestAPublisherIsRememberedForTwoDaysAfterItsLastWord(t *testing.T) {
	for name, c := range map[string]struct {
		closed              bool
		silence             time.Duration
		duplicate, rejected int64
	}{
		"48 h after its last word it is known":                         {false, 48 * time.Hour, 1, 0},
		"a nanosecond later it is forgotten, and its batch refused":    {false, 48*time.Hour + 1, 0, 1},
		"one that closed is known for as long":                         {true, 48 * time.Hour, 1, 0},
		"and forgotten a nanosecond later, and its last batch refused": {true, 48*time.Hour + 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(policy.Policy{})
			batch := batchOf("p", 5, noon)
			batch.Closed = c.closed
			m.ObserveBatch(noon, batch)
			for i := range 8 { // another is heard all the time
				at := noon.Add(time.Duration(i+1) * 6 * time.Hour)
				m.ObserveBatch(at, batchOf("q", int64(i+1), at))
			}
			now := noon.Add(c.silence)
			m.ObserveBatch(now, batchOf("r", 1, now))
			m.ObserveBatch(now, batch)
			status := m.Status(now)
			assert.Equal(t, c.duplicate, status.Duplicates)
			assert.Equal(t, c.rejected, status.Rejected)
			assert.EqualValues(t, 10, status.Events)
		})
	}
}

func TestTheSilenceOfAnOutageIsNobodys(t *testing.T) {
	m := newMachine(policy.Policy{})
	publishers := []string{"p", "q", "r"}
	clocks := []time.Duration{0, 5 * time.Minute, -5 * time.Minute}
	for i, p := range publishers {
		m.ObserveBatch(noon, batchOf(p, 1, noon.Add(clocks[i])))
	}
	back := noon.Add(72 * time.Hour) // for so long no worker was there; now all they sent comes at once
	for n := range 3 {
		for i, p := range publishers {
			m.ObserveBatch(back, batchOf(p, 1, noon.Add(clocks[i]))) // its answer was lost
			m.ObserveBatch(back, batchOf(p, int64(n+2), noon.Add(clocks[i]+time.Duration(n+1)*10*time.Second)))
		}
	}
	status := m.Status(back)
	assert.EqualValues(t, 12, status.Events)
	assert.EqualValues(t, 9, status.Duplicates)
	assert.Zero(t, status.Rejected, "%v", status.Rejections)
	assert.Zero(t, status.Gaps)
}

func TestOneShotPublishersPushNoLiveOneOut(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.ObserveBatch(noon, batchOf("server", 5, noon))
	now := oneShots(m, noon, 3000)
	m.ObserveBatch(now, batchOf("server", 5, noon))
	m.ObserveBatch(now, batchOf("server", 6, now))
	status := m.Status(now)
	assert.EqualValues(t, 3002, status.Events)
	assert.EqualValues(t, 1, status.Duplicates)
	assert.Zero(t, status.Rejected)
	assert.Zero(t, status.Gaps)
	assert.Equal(t, 1000, status.Publishers)
}

func TestWhereNoneHasClosedTheOneThatIsSilentForLongestGoes(t *testing.T) {
	m := newMachine(policy.Policy{})
	for i := range 1001 { // all of one instant, as in a pile
		m.ObserveBatch(noon, batchOf(fmt.Sprint("p", 5000-i), 1, noon.Add(time.Duration(i)*time.Millisecond)))
	}
	m.ObserveBatch(noon, batchOf("p4999", 1, noon.Add(time.Millisecond)))
	assert.EqualValues(t, 1, m.Status(noon).Duplicates, "the second is known")
	m.ObserveBatch(noon, batchOf("p5000", 1, noon))
	assert.EqualValues(t, 1, m.Status(noon).Rejected, "the first is not")
}

func TestABatchOfAForgottenPublisherIsRefusedAndExplained(t *testing.T) {
	m := newMachine(policy.Policy{})
	last := closing(batchOf("p", 7, noon.Add(-time.Second), noon))
	m.ObserveBatch(noon, last)
	now := oneShots(m, noon.Add(time.Second), 1000)
	require.EqualValues(t, 1002, m.Status(now).Events)

	m.ObserveBatch(now, last)
	status := m.Status(now)
	assert.EqualValues(t, 1002, status.Events, "it was counted already")
	assert.EqualValues(t, 2, status.Rejected, "each of its digests")
	assert.Zero(t, status.Duplicates)
	reason := status.Rejections[1].Reason
	for _, part := range []string{
		`batch 7 of publisher "p" was made at 2026-03-01T12:00:00Z`, "batches were made until 2026-03-01T12:00:00Z",
		"does not count it again; check the clock of the publisher", "more than 1000 come and go within two days", "such as a gateway",
	} {
		assert.Contains(t, reason, part)
	}

	m.ObserveBatch(now, last)
	assert.EqualValues(t, 2, m.Status(now).Duplicates, "it is known now, and is not refused twice")
	m.ObserveBatch(now, batchOf("new", 1, noon.Add(time.Second+time.Millisecond)))
	assert.EqualValues(t, 1003, m.Status(now).Events, "what was made after the watermark can't have been counted")
	m.ObserveBatch(now, closing(batchOf("unheard of", 1)))
	assert.EqualValues(t, 2, m.Status(now).Rejected, "a farewell has nothing to count")
}

func TestAPublisherWhoseClockIsBehindLosesOneBatchAtMost(t *testing.T) {
	m := newMachine(policy.Policy{})
	now := oneShots(m, noon, 2000)
	for i := range 10 {
		at := now.Add(time.Duration(i) * time.Minute)
		m.ObserveBatch(at, batchOf("p", int64(i+1), at.AddDate(0, -1, 0)))
		now = oneShots(m, at, 30)
	}
	status := m.Status(now)
	assert.EqualValues(t, 1, status.Rejected)
	assert.EqualValues(t, 2000+300+9, status.Events)
}

func TestAPublisherWhoseClockIsAheadHoldsNobodyUp(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.ObserveBatch(noon, closing(batchOf("ahead", 1, noon.Add(metric.MaxClockSkew))))
	far := closing(batchOf("far ahead", 1, noon.AddDate(1, 0, 0)))
	m.ObserveBatch(noon, far)
	require.EqualValues(t, 1, m.Status(noon).Rejected)
	now := oneShots(m, noon, 5000)
	status := m.Status(now)
	assert.EqualValues(t, 5001, status.Events)
	assert.EqualValues(t, 1, status.Rejected, "%v", status.Rejections)

	for range 5 { // both are forgotten in the end
		now = oneShots(m, now.Add(12*time.Hour), 1)
	}
	status = m.Status(now)
	assert.EqualValues(t, 5006, status.Events)
	assert.EqualValues(t, 4, status.Publishers)
}

func TestAClockThatWasSetBackCountsNothingTwice(t *testing.T) {
	m := newMachine(policy.Policy{})
	m.ObserveBatch(noon, batchOf("p", 1, noon))
	m.ObserveBatch(noon.Add(time.Minute), closing(batchOf("p", 2, noon.Add(-time.Hour))))
	now := oneShots(m, noon.Add(time.Hour), 1000)
	m.ObserveBatch(now, batchOf("p", 1, noon)) // a copy that was delayed on its way
	status := m.Status(now)
	assert.EqualValues(t, 1002, status.Events)
	assert.EqualValues(t, 1, status.Rejected)
}

func TestAStateThatKeptNoInstantsOfBatchesIsReadAndCountsNothingTwice(t *testing.T) {
	var publishers []string
	for i := range 1000 {
		publishers = append(publishers, fmt.Sprintf(`"old%d": {"sequence": 3, "last_word": %q, "closed": true}`, i, noon.Add(time.Duration(i)*time.Second).Format(time.RFC3339)))
	}
	state, err := monitor.DecodeState([]byte(`{"version": 1, "model_name": "fraud", "publishers": {` + strings.Join(publishers, ",") + `}}`))
	require.NoError(t, err)
	m := monitor.Restore(state)
	now := oneShots(m, noon.Add(time.Hour), 10)
	m.ObserveBatch(now, batchOf("old0", 3, noon))
	m.ObserveBatch(now, batchOf("old500", 3, noon.Add(500*time.Second)))
	status := m.Status(now)
	assert.EqualValues(t, 10, status.Events)
	assert.EqualValues(t, 1, status.Rejected)
	assert.EqualValues(t, 1, status.Duplicates)
}

func TestAStateThatMustForgetPublishersCountsNothingTwice(t *testing.T) {
	m := newMachine(policy.Policy{})
	long := strings.Repeat("<", 64) // six bytes each in a state
	for i := range 1000 {
		m.ObserveBatch(noon, batchOf(fmt.Sprintf("%04d%s", i, long[:60]), 1, noon.Add(time.Duration(i)*time.Millisecond)))
	}
	encoded := encode(t, m.State())
	require.LessOrEqual(t, len(encoded), monitor.MaxStateBytes)
	state, err := monitor.DecodeState([]byte(encoded))
	require.NoError(t, err)
	require.Less(t, len(state.Publishers), 1000, "some had to go")
	m = monitor.Restore(state)
	for i := range 1000 {
		m.ObserveBatch(noon, batchOf(fmt.Sprintf("%04d%s", i, long[:60]), 1, noon.Add(time.Duration(i)*time.Millisecond)))
	}
	status := m.Status(noon)
	assert.EqualValues(t, 1000, status.Events)
	assert.EqualValues(t, 1000, status.Duplicates+status.Rejected)
	assert.Positive(t, status.Rejected)
}

// A state of a thousand publishers with names as hubs give them themselves.
func TestAFullTableTakesALittleOfAState(t *testing.T) {
	m := newMachine(policy.Policy{})
	for i := range 1000 {
		at := noon.Add(time.Duration(i)*time.Second + 123456789)
		m.ObserveBatch(at, closing(batchOf(fmt.Sprintf("%026d", i), 1_000_000, at)))
	}
	encoded, err := json.Marshal(m.State().Publishers)
	require.NoError(t, err)
	t.Logf("%d bytes a publisher", len(encoded)/1000)
	assert.LessOrEqual(t, len(encoded), 160_000)
}
