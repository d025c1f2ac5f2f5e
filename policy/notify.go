package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// maxNotify bounds the channels of one policy.
const maxNotify = 10

// Notify says which decisions a channel is told of.
type Notify struct {
	Channel string `json:"channel"`         // as the worker's file of channels names it
	Kinds   []Kind `json:"kinds,omitempty"` // default DefaultNotifyKinds
}

// DefaultNotifyKinds are the decisions that somebody should know of.
func DefaultNotifyKinds() []Kind {
	return []Kind{Triggered, AwaitingApproval, Failed, TimedOut, Regressed, CircuitOpened}
}

func (n *Notify) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"channel": &n.Channel, "kinds": &n.Kinds})
}

func validateNotify(all []Notify) (faults []error) {
	if len(all) > maxNotify {
		faults = append(faults, fmt.Errorf("notify: must be at most %d, got %d", maxNotify, len(all)))
	}
	for i, n := range all {
		path := fmt.Sprintf("notify[%d]", i)
		faults = append(faults, strict.At(path+".channel", metric.CheckName(n.Channel, 1, metric.MaxNameBytes)))
		if n.Kinds != nil && len(n.Kinds) == 0 {
			faults = append(faults, fmt.Errorf("%s.kinds: must not be empty; leave the field out for the default", path))
		}
		for j, kind := range n.Kinds {
			if err := oneOf(kind, Notifiable()...); err != nil || kind == "" {
				faults = append(faults, strict.At(fmt.Sprintf("%s.kinds[%d]", path, j), cmp.Or(err, errors.New("must not be empty"))))
			}
		}

		if slices.ContainsFunc(all[:i], func(before Notify) bool { return before.Channel == n.Channel }) {
			faults = append(faults, fmt.Errorf("%s.channel: must be unique, %q is there already", path, n.Channel))
		}
	}

	return faults
}
