package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// maxNotify bounds the channels of one policy.
const maxNotify = 10

// Notify says which decisions a channel is told of.
type Notify struct {
	Channel string `json:"channel"`         // as the worker's file of channels names it
	Kinds   []Kind `json:"kinds,omitempty"` // default DefaultNotifyKinds
	// Rules are those whose decisions it is told of, and of what settles them; default
	// all, and what names none: a pause, an open circuit.
	Rules []string `json:"rules,omitempty"`
}

// Hears says that the channel is told of decisions of a rule; of none, where it is "".
func (n *Notify) Hears(rule string) bool { return n.Rules == nil || slices.Contains(n.Rules, rule) }

// namesNoRule says that decisions of this kind are of the monitor, whatever its rules
// say.
func (k Kind) namesNoRule() bool {
	return slices.Contains([]Kind{Paused, Resumed, CircuitOpened, PolicyChanged, Stopped}, k)
}

// DefaultNotifyKinds are the decisions that somebody should know of.
func DefaultNotifyKinds() []Kind {
	return []Kind{Triggered, AwaitingApproval, Failed, TimedOut, Regressed, CircuitOpened}
}

func (n *Notify) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"channel": &n.Channel, "kinds": &n.Kinds, "rules": &n.Rules})
}

func validateNotify(all []Notify, rules []Rule) (faults []error) {
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

		faults = append(faults, n.validateRules(path, rules)...)
		if slices.ContainsFunc(all[:i], func(before Notify) bool { return before.Channel == n.Channel }) {
			faults = append(faults, fmt.Errorf("%s.channel: must be unique, %q is there already", path, n.Channel))
		}
	}

	return faults
}

// validateRules is about the rules whose decisions a channel is told of.
func (n *Notify) validateRules(path string, rules []Rule) (faults []error) {
	if n.Rules == nil {
		return nil
	}
	if len(n.Rules) == 0 {
		faults = append(faults, fmt.Errorf("%s.rules: must not be empty; leave the field out for all", path))
	}

	for i, name := range n.Rules {
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == name }) {
			faults = append(faults, fmt.Errorf("%s.rules[%d]: names rule %q, which is not in this policy", path, i, plain.Cut(name, 60)))
		}
	}
	for i, kind := range n.Kinds {
		if kind.namesNoRule() {
			faults = append(faults, fmt.Errorf("%s.kinds[%d]: %s is of no rule, so it has no place beside rules", path, i, kind))
		}
	}

	return faults
}
