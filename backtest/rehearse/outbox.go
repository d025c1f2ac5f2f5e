package rehearse

import (
	"io"
	"sync"
)

// outbox writes lines to a program that may be slow to read them, or never do, without
// anybody waiting for it: they queue in memory, and a goroutine of its own writes
// them. There are as many as the program has asked for by its own syncs and breaches.
type outbox struct {
	to   io.WriteCloser
	done chan struct{} // closed when the writing has ended

	mutex   sync.Mutex
	filled  *sync.Cond
	queued  []byte
	isEnded bool
}

// newOutbox starts the writing; close ends it.
func newOutbox(to io.WriteCloser) *outbox {
	o := &outbox{to: to, done: make(chan struct{})}
	o.filled = sync.NewCond(&o.mutex)
	go o.write()
	return o
}

// put queues a line, which lacks its end.
func (o *outbox) put(line []byte) {
	o.mutex.Lock()
	defer o.mutex.Unlock()

	if o.isEnded {
		return
	}
	o.queued = append(o.queued, line...)
	o.queued = append(o.queued, '\n')
	o.filled.Signal()
}

// close drops what is not written yet and waits until nothing is being written.
// Closing what it writes to is what ends a write that nobody reads.
func (o *outbox) close() {
	o.mutex.Lock()
	o.isEnded = true
	o.filled.Signal()
	o.mutex.Unlock()

	_ = o.to.Close() // the reader may have gone already
	<-o.done
}

// write writes what is queued, all at once, until there will be no more. A program
// that has closed its standard input is told nothing from then on.
func (o *outbox) write() {
	defer close(o.done)

	var lines []byte
	for {
		o.mutex.Lock()
		for len(o.queued) == 0 && !o.isEnded {
			o.filled.Wait()
		}
		lines, o.queued = o.queued, lines[:0]
		isEnded := o.isEnded
		o.mutex.Unlock()

		if isEnded {
			return
		}
		_, err := o.to.Write(lines)
		if err != nil {
			o.mutex.Lock()
			o.isEnded = true
			o.mutex.Unlock()
			return
		}
	}
}
