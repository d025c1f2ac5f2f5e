package monitor

import (
	"cmp"
	linked "container/list"
	"slices"
)

// roll has the publishers in the order in which they are forgotten for want of
// room, so that a table that is always full costs no search. It follows from the
// state.
type roll struct{ closed, open *linked.List }

func newRoll(s *State) *roll {
	r := &roll{linked.New(), linked.New()}
	for _, known := range s.publishersInOrder() {
		r.add(known)
	}
	return r
}

// publishersInOrder are all that are remembered, the first to be forgotten first.
func (s *State) publishersInOrder() []*publisher {
	all := make([]*publisher, 0, len(s.Publishers))
	for id, known := range s.Publishers {
		known.id = id
		all = append(all, known)
	}
	slices.SortFunc(all, (*publisher).compare)
	return all
}

// compare is below 0 where p is to be forgotten before another: those first that
// have closed, then those that have been silent for longest.
func (p *publisher) compare(other *publisher) int {
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
func (p *publisher) pastAt() int64 { return max(p.Made, p.LastWord.UnixMilli()) }

// add puts one that has just been heard where it belongs: last, but for those that
// closed with a clock that is ahead.
func (r *roll) add(p *publisher) {
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
func (r *roll) remove(p *publisher) {
	r.closed.Remove(p.place)
	r.open.Remove(p.place)
}

// first is the one to be forgotten first. There is one at least.
func (r *roll) first() *publisher {
	if front := r.closed.Front(); front != nil {
		return publisherAt(front)
	}
	return publisherAt(r.open.Front())
}

func publisherAt(place *linked.Element) *publisher {
	p, _ := place.Value.(*publisher)
	return p
}
