package monitor_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// sender is a publisher as a hub is one: it numbers its batches, keeps one until
// it has its outcome, and sends that again for a day at most. Its clock may be wrong.
type sender struct {
	id       string
	clock    time.Duration // ahead of the monitor's
	lives    int           // batches until it closes; -1: it stays
	sequence int64
	batch    *metric.Batch // without an outcome, or nil
	firstTry time.Time
}

// fate is what became of a batch, at the monitor.
type fate struct {
	counted, refused int
}

// world is a monitor, those who publish to it, and what is on its way.
type world struct {
	t        *testing.T
	random   *rand.Rand
	now      time.Time
	machine  *monitor.Machine // cut now and then
	whole    *monitor.Machine // never cut
	senders  []*sender
	oneShots int
	pile     []*metric.Batch
	fates    map[string]*fate // by publisher and number
	open     map[string]bool  // of those heard, whether they have not closed
	until    []int64          // when each batch was past by both clocks, Unix milliseconds
	live     int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), now: noon, machine: newMachine(policy.Policy{}), whole: newMachine(policy.Policy{}),
		fates: map[string]*fate{}, open: map[string]bool{},
	}
	w.live = 1 + w.random.IntN(20)
	for i := range w.live {
		w.senders = append(w.senders, &sender{id: fmt.Sprint("live", i), clock: w.clock(), lives: -1})
	}
	return w
}

// clock is how wrong a clock is.
func (w *world) clock() time.Duration {
	switch w.random.IntN(6) {
	case 0:
		return -time.Duration(w.random.Int64N(int64(40 * 24 * time.Hour)))
	case 1:
		return time.Duration(w.random.Int64N(int64(metric.MaxClockSkew)))
	case 2:
		return -time.Duration(w.random.Int64N(int64(10 * time.Minute)))
	}
	return 0
}

// send makes a sender's next batch, or takes the one without an outcome again. It
// arrives or not, and its sender learns of that or not.
func (w *world) send(s *sender) {
	if s.batch != nil && w.now.Sub(s.firstTry) >= 24*time.Hour {
		s.batch = nil // given up
	}
	if s.batch == nil {
		s.sequence++
		made := w.now.Add(s.clock)
		s.batch, s.firstTry = batchOf(s.id, s.sequence, made), w.now
		for range w.random.IntN(3) { // what waited while a server was away
			older := batchOf(s.id, 1, made.Add(-time.Duration(w.random.Int64N(int64(time.Hour)))))
			s.batch.Digests = append(older.Digests, s.batch.Digests...)
		}
		if s.lives > 0 {
			s.lives--
		}
		s.batch.Closed = s.lives == 0
	}
	if w.random.IntN(8) > 0 {
		w.pile = append(w.pile, s.batch)
		if w.random.IntN(4) > 0 {
			s.batch = nil
		}
	}
}

// handle lets the monitor take all that has arrived, at one instant.
func (w *world) handle() {
	for _, batch := range w.pile {
		if w.random.IntN(50) == 0 {
			w.machine = cut(w.t, w.machine)
		}
		w.observe(batch)
	}
	w.pile = nil
}

func (w *world) observe(batch *metric.Batch) {
	before := w.machine.Counters()
	w.machine.ObserveBatch(w.now, batch)
	w.whole.ObserveBatch(w.now, batch)
	after := w.machine.Counters()
	key := fmt.Sprint(batch.Publisher, "/", batch.Sequence)
	f := w.fates[key]
	if f == nil {
		f = &fate{}
		w.fates[key] = f
	}
	digests := int64(len(batch.Digests))
	made := batch.Digests[digests-1].FoldedUntil.UnixMilli()
	switch {
	case after.Events == before.Events+digests:
		f.counted++
	case after.Rejected == before.Rejected+digests:
		f.refused++
		w.mayRefuse(batch, made)
	default:
		require.Equal(w.t, before.Duplicates+digests, after.Duplicates)
		require.Positive(w.t, f.counted+f.refused, "%s is news, not a duplicate", key)
	}
	require.LessOrEqual(w.t, f.counted, 1, "%s is counted twice", key)
	require.False(w.t, f.counted == 0 && f.refused == 0, key)
	w.open[batch.Publisher] = !batch.Closed
	w.until = append(w.until, max(made, w.now.UnixMilli()))
}

// mayRefuse holds that a refusal has its cause: two days, or that others filled the
// table who came later.
func (w *world) mayRefuse(batch *metric.Batch, made int64) {
	_, heard := w.open[batch.Publisher]
	require.False(w.t, heard && w.isLive(batch.Publisher), "%s is live, and never forgotten", batch.Publisher)
	if made <= w.now.Add(metric.MaxClockSkew-48*time.Hour).UnixMilli() {
		return
	}
	rivals := 0
	for _, open := range w.open {
		if open {
			rivals++
		}
	}
	require.Less(w.t, rivals, 1000, "only then one that is live may be forgotten")
	for _, other := range w.until {
		if other >= made {
			rivals++
		}
	}
	require.GreaterOrEqual(w.t, rivals, 1000, "a batch of %s is refused for no reason", batch.Publisher)
}

func (w *world) isLive(id string) bool {
	for _, s := range w.senders {
		if s.id == id {
			return s.lives < 0
		}
	}
	return false
}

// step lets somebody act.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.random.Int64N(int64(20 * time.Second))))
	switch n := w.random.IntN(100); {
	case n < 20:
		w.send(w.senders[w.random.IntN(w.live)])
	case n < 60:
		w.oneShots++
		s := &sender{id: fmt.Sprint("one-shot ", w.oneShots), clock: w.clock(), lives: 1 + w.random.IntN(5)/4}
		w.senders = append(w.senders, s)
		w.send(s)
	case n < 90 && len(w.senders) > w.live: // one of the last goes on: with its batch, or its next one
		s := w.senders[w.live+w.random.IntN(len(w.senders)-w.live)]
		if s.batch != nil || s.lives > 0 {
			w.send(s)
		}
	case n < 91:
		quiet := time.Hour
		if w.random.IntN(20) == 0 {
			quiet = 72 * time.Hour
		}
		w.now = w.now.Add(time.Duration(w.random.Int64N(int64(quiet))))
	}
	if w.random.IntN(200) > 0 && len(w.pile) < 500 || w.random.IntN(3) == 0 {
		w.handle()
	}
}

// What a publisher sends is counted once at most, whatever of its batches and of
// the answers is lost, whoever comes and goes, and whatever the clocks say; and it
// is refused only for want of memory.
func TestNoBatchIsCountedTwiceAndNoneRefusedWithoutNeed(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 6000 {
				w.step()
			}
			w.handle()

			status := w.machine.Status(w.now)
			require.LessOrEqual(t, status.Publishers, 1000)
			var counted, refused int
			for _, f := range w.fates {
				counted += f.counted
				refused += f.refused
			}
			t.Logf("%d live: %d batches counted, %d refused; %d digests redelivered", w.live, counted, refused, status.Duplicates)
			require.Equal(t, encode(t, w.whole.State()), encode(t, cut(t, w.machine).State()), "cut or not")
		})
	}
}
