package publisher

import (
	"cmp"
	linked "container/list"
	"slices"
)

// roll has the publishers in the order in which they are forgotten for want of
// room, so that a table that is always full costs no search. It follows from the
// state.
type roll struct{ closed, open *linked.List }

func newRoll(k *Known) *roll {
	r := &roll{linked.New(), linked.New()}
	for _, known := range k.inOrder() {
		r.add(known)
	}
	return r
}

// inOrder are all that are remembered, the first to be forgotten first.
func (k *Known) inOrder() []*Publisher {
	all := make([]*Publisher, 0, len(k.Publishers))
	for id, known := range k.Publishers {
		known.id = id
		all = append(all, known)
	}
	slices.SortFunc(all, (*Publisher).compare)
	return all
}

// compare is below 0 where p is to be forgotten before another: those first that
// have closed, then those that have been silent for longest.
func (p *Publisher) compare(other *Publisher) int {
	switch {
	case p.Closed && !other.Closed:
		return -1
	case !p.Closed && other.Closed:
		return 1
	case p.Closed:
		if order := cmp.Compare(p.pastAt(), other.pastAt()); order != 0 {
			return order
		}
	}

	return cmp.Or(p.LastWord.Compare(other.LastWord), cmp.Compare(p.id, other.id))
}

// pastAt is when the last word of one that closed is past by its own clock, too, in
// Unix milliseconds. A watermark that is ahead of the clock would refuse batches of
// everyone.
func (p *Publisher) pastAt() int64 { return max(p.Made, p.LastWord.UnixMilli()) }

// add puts one that has just been heard where it belongs: last, but for those that
// closed with a clock that is ahead.
func (r *roll) add(p *Publisher) {
	of := r.open
	if p.Closed {
		of = r.closed
	}
	before := of.Back()
	for before != nil && p.compare(publisherAt(before)) < 0 {
		before = before.Prev()
	}
	if before == nil {
		p.place = of.PushFront(p)
	} else {
		p.place = of.InsertAfter(p, before)
	}
}

// remove takes one out, whichever list it is in.
func (r *roll) remove(p *Publisher) {
	r.closed.Remove(p.place)
	r.open.Remove(p.place)
}

// first is the one to be forgotten first. There is one at least.
func (r *roll) first() *Publisher {
	if front := r.closed.Front(); front != nil {
		return publisherAt(front)
	}
	return publisherAt(r.open.Front())
}

func publisherAt(place *linked.Element) *Publisher {
	p, _ := place.Value.(*Publisher)
	return p
}
