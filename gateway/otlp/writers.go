package otlp

import "errors"

// A process that restarts without saying so lets its stream fall once. Where several
// write to one stream, each falls behind the other again and again, and what lies between
// them would be summed as if it were new.
const (
	// tooManyFalls make several writers of one.
	tooManyFalls = 3
	// forgivenAfter is how many points that don't fall let one fall be forgotten: a
	// process that restarts after a thousand exports is none of several writers.
	forgivenAfter = 100
)

// errSeveral says that a cumulative stream has more than one writer.
var errSeveral = errors.New("keeps falling without a new start time, so that several processes write to one stream; give each a service.instance.id, or export deltas")

// judge counts how often a stream falls, by what became of a point of it, and returns
// errSeveral instead of what is new once it falls too often.
func (s *streamsOf) judge(stream identity, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.last[stream]
	fell := errors.Is(err, errFell)
	if known == nil || err != nil && !fell {
		return err
	}

	if fell {
		known.falls = min(known.falls+1, tooManyFalls)
		known.rises = 0
	} else {
		known.rises = min(known.rises+1, forgivenAfter)
	}
	if known.rises == forgivenAfter && known.falls > 0 {
		known.falls--
		known.rises = 0
	}

	if known.falls >= tooManyFalls {
		return errSeveral
	}
	return err
}
