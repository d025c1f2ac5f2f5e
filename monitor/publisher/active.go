package publisher

import (
	"time"

	"github.com/modelvigil/modelvigil/contract"
)

// Active counts those heard of within two of their own intervals.
// Which that is depends on their number, so it is found by shrinking: counted
// from below, a hundred that report at the same time would be taken for one in
// between, and hurry.
func (k *Known) Active(now time.Time, every time.Duration) int {
	active := len(k.Publishers)
	for {
		heard := 0
		for _, known := range k.Publishers {
			if !known.Closed && now.Sub(known.LastWord) <= 2*contract.HealthyPace(every, active) {
				heard++
			}
		}

		if heard >= active {
			return heard
		}

		active = heard
	}
}
