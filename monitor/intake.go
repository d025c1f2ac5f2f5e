package monitor

import (
	"bytes"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/clock"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/monitor/retraining"
)

// maxExplained is how many refused elements of one signal are explained: the last
// ones, for a monitor keeps no more. The others are counted, which costs next to
// nothing: a signal may hold ten thousand.
const maxExplained = journal.MaxRejections

// readers are those that no machine reads by at the moment. A reader keeps the
// names it has met, and a process has thousands of machines.
var readers = sync.Pool{New: func() any { return new(metric.EventReader) }}

// TakeEvents takes the payload of a `metric` signal: one event or a list of them,
// 10,000 at most. Each element is for itself: one that is no event, or makes no
// sense at now, is counted, the last ones are explained, and the others observed.
func (m *Machine) TakeEvents(now time.Time, payload []byte) {
	now = clock.Plain(now)
	m.work += int64(len(payload))
	m.watch.Forget()
	payload = bytes.TrimPrefix(payload, strict.ByteOrderMark)
	if n := countElements(payload); n > metric.MaxObservations {
		m.Journal.Reject(now, contract.SignalMetric, fmt.Errorf("must be at most %d events, got %d; send more signals", metric.MaxObservations, n), payload)
		return
	}

	reader, _ := readers.Get().(*metric.EventReader)
	defer readers.Put(reader)
	refused := refusals{source: contract.SignalMetric}
	for path, element := range elements(payload) {
		m.breath.take(m.Work(), m.OnBreath)
		event, isEvent := reader.Try(element)
		if isEvent && event.IsValid(now) && event.ModelName == m.state.ModelName {
			m.row.OfEvent(event)
			m.observation.OfRow(&m.row, now)
			m.observe(now, &m.observation)
			continue
		}
		refused.add(path, element)
		m.work += refusalWork
	}

	m.work += refused.explain(now, &m.Journal, func(r refusedElement) error {
		return strict.At(r.path.String(), explainEvent(now, reader, r.element, m.state.ModelName))
	})
}

// explainEvent says why an element was not observed by the machine of a model.
func explainEvent(now time.Time, reader *metric.EventReader, element []byte, mine string) error {
	event, err := reader.Read(element)
	if err != nil {
		return err
	}
	err = event.Validate(now)
	if err != nil {
		return err
	}
	return stray(mine, event.ModelName)
}

// TakeBatch takes the payload of a `metric-digest` signal.
func (m *Machine) TakeBatch(now time.Time, payload []byte) {
	m.work += int64(len(payload))
	batch, err := metric.DecodeBatch(payload)
	if err != nil {
		m.Journal.Reject(now, contract.SignalMetricDigest, err, payload)
		return
	}
	m.ObserveBatch(now, batch)
}

// TakeOutcome takes the payload of a `retraining-outcome` signal.
func (m *Machine) TakeOutcome(now time.Time, payload []byte) {
	m.work += int64(len(payload))
	outcome, err := retraining.DecodeOutcome(payload)
	if err != nil {
		m.Journal.Reject(now, contract.SignalRetrainingOutcome, err, payload)
		return
	}
	m.Course.Outcome(now, outcome)
}

// refusals are the elements of one signal that were refused.
type refusals struct {
	source string
	count  int64
	last   []refusedElement // maxExplained at most, oldest first
}

// refusedElement is where an element stood, and what it was.
type refusedElement struct {
	path    elementPath
	element []byte
}

func (r *refusals) add(path elementPath, element []byte) {
	r.count++
	r.last = journal.KeepLast(append(r.last, refusedElement{path, element}), maxExplained)
}

// explain has all refusals of a signal counted, and the last of them explained. It
// returns the work of it.
func (r *refusals) explain(now time.Time, j *journal.Journal, why func(refusedElement) error) (work int64) {
	unexplained := r.count - int64(len(r.last))
	if unexplained > 0 {
		j.RejectMany(now, r.source, unexplained)
	}
	for _, one := range r.last {
		work += int64(len(one.element)) + explanationWork
		j.Reject(now, r.source, why(one), one.element)
	}
	return work
}

// elementPath is the place of an element in a payload: its number in the list, or
// -1 where the payload is no list.
type elementPath int

func (p elementPath) String() string {
	if p < 0 {
		return ""
	}
	return fmt.Sprintf("[%d]", int(p))
}

// countElements counts the elements of a payload; one that is no list is one.
func countElements(payload []byte) int {
	c := strict.Cursor{Data: payload}
	if c.Next() != '[' {
		return 1
	}
	return strict.CountMembers(payload)
}

// elements are the elements of a list, or the payload itself where it is none. What
// is behind the list, or its missing end, is an element too: a broken one.
func elements(payload []byte) iter.Seq2[elementPath, []byte] {
	return func(yield func(elementPath, []byte) bool) {
		c := strict.Cursor{Data: payload}
		if c.Next() != '[' {
			yield(-1, payload)
			return
		}

		number := elementPath(0)
		for more := c.Open('[', ']'); more; number++ {
			if !yield(number, c.Element()) {
				return
			}
			more = c.More(']')
		}

		if !c.Ended() {
			yield(number, payload[min(c.At, len(payload)):])
		}
	}
}

// stray says what is wrong with what is meant for another model than the machine's.
func stray(mine, modelName string) error {
	return fmt.Errorf("model_name: this is the monitor of %q, got %q; send it to %s", mine, modelName, contract.WorkflowID(modelName))
}
