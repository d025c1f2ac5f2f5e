// Package certificate is what a policy carries of how often it cries wolf: found on a
// recording by `modelvigil certify`, and shown beside the policy while it is in force.
package certificate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/internal/strict"
	"github.com/modelvigil/modelvigil/metric"
)

// Certificate says how often a policy cries wolf, and how soon it finds changes.
type Certificate struct {
	// Of is the fingerprint of the policy that it is of: no other one can carry it.
	Of          string  `json:"of"`
	Per         string  `json:"per"` // what false alarms are counted per, such as 90d
	FalseAlarms Rate    `json:"false_alarms"`
	Changes     []Found `json:"changes,omitempty"` // at most MaxChanges
}

// Rate is a number of false alarms.
type Rate struct {
	Mean float64 `json:"mean"`
	// Low to High is the 95 % confidence interval of the mean. Where a resample has less
	// than one alarm on average, High is at least 3 in the recording's length: as many
	// as a recording without one can't rule out.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Found is what becomes of a change.
type Found struct {
	Change   string                   `json:"change"`
	Found    float64                  `json:"found"`              // a share
	DelayP50 metric.Optional[float64] `json:"delay_p50,omitzero"` // seconds; none where it is never found
}

// MaxChanges bounds the changes of a certificate, which is part of a monitor's state.
const MaxChanges = 10

// Fingerprint is that of what is certified, as JSON.
func Fingerprint(certified []byte) string {
	sum := sha256.Sum256(certified)
	return hex.EncodeToString(sum[:8])
}

// DecodeAt reads a certificate that stands at a path.
func (c *Certificate) DecodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{
		"of": &c.Of, "per": &c.Per, "false_alarms": strict.Nested(c.FalseAlarms.decodeAt), "changes": strict.List(&c.Changes, (*Found).decodeAt),
	})
}

func (r *Rate) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"mean": &r.Mean, "low": &r.Low, "high": &r.High})
}

func (f *Found) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"change": &f.Change, "found": &f.Found, "delay_p50": &f.DelayP50})
}

// Validate names every fault, given the fingerprint of the policy that carries it.
func (c *Certificate) Validate(fingerprint string) (faults []error) {
	fault := func(field string, err error) { faults = append(faults, strict.At("certificate"+field, err)) }
	if c.Of != fingerprint {
		fault(".of", fmt.Errorf("is of another policy, %q, and this one is %q; certify this one, or apply it without a certificate", plain.Cut(c.Of, 40), fingerprint))
	}
	fault(".per", metric.CheckName(c.Per, 1, metric.MaxNameBytes))
	if len(c.Changes) > MaxChanges {
		fault(".changes", fmt.Errorf("must be at most %d, got %d", MaxChanges, len(c.Changes)))
	}
	for i, x := range []float64{c.FalseAlarms.Mean, c.FalseAlarms.Low, c.FalseAlarms.High} {
		if x < 0 || x > metric.MaxMagnitude || math.IsNaN(x) {
			fault(".false_alarms."+[]string{"mean", "low", "high"}[i], errors.New("must be a number that is not below 0"))
		}
	}
	for i, f := range c.Changes {
		fault(fmt.Sprintf(".changes[%d].change", i), metric.CheckName(f.Change, 1, metric.MaxNameBytes))
	}

	return faults
}

// String is what it says, in a sentence: `0.73 false alarms per 90d (0.25 to 1.48);
// accuracy=-0.03 found in 98 %, half of them within 3h`.
func (c *Certificate) String() string {
	text := fmt.Sprintf("%.3g false alarms per %s (%.3g to %.3g)", c.FalseAlarms.Mean, plain.Text(c.Per), c.FalseAlarms.Low, c.FalseAlarms.High)
	for _, f := range c.Changes {
		text += fmt.Sprintf("; %s found in %.0f %%", plain.Text(f.Change), 100*f.Found)
		if delay, ok := f.DelayP50.Get(); ok {
			text += ", half of them within " + plain.Length(time.Duration(delay*float64(time.Second)))
		}
	}
	return text
}
