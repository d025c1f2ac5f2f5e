package drift

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelvigil/modelvigil/metric"
)

// Counts are how many readings are in each bin. In JSON they are packed: the base64,
// without padding, of each count as a varint. A list of numbers is read, too.
type Counts []int64

// Total is the sum of all.
func (c Counts) Total() (total int64) {
	for _, count := range c {
		total += count
	}
	return total
}

// Add adds those of other bins of the same edges.
func (c Counts) Add(other Counts) {
	for i, count := range other {
		c[i] += count
	}
}

// MarshalJSON writes the counts packed.
func (c Counts) MarshalJSON() ([]byte, error) {
	packed := make([]byte, 0, 3*len(c))
	for _, count := range c {
		packed = binary.AppendVarint(packed, count)
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(packed))
}

// UnmarshalJSON reads what MarshalJSON wrote, or a list of numbers.
func (c *Counts) UnmarshalJSON(data []byte) error {
	var list []int64
	if json.Unmarshal(data, &list) == nil {
		*c = list
		return c.check()
	}

	var text string
	err := json.Unmarshal(data, &text)
	if err != nil {
		return errors.New("must be a list of whole numbers")
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("packed counts: %w", err)
	}
	*c = Counts{}
	for len(packed) > 0 {
		count, n := binary.Varint(packed)
		if n <= 0 {
			return errors.New("packed counts: end within a count")
		}
		*c = append(*c, count)
		packed = packed[n:]
	}
	return c.check()
}

// check refuses what no counts are.
func (c Counts) check() error {
	for _, count := range c {
		if count < 0 || count > metric.MaxCount {
			return fmt.Errorf("a count must be 0 to %d, got %d", int64(metric.MaxCount), count)
		}
	}
	return nil
}

// Tally is what was counted of a period in the bins of a reference.
type Tally struct {
	Counts Counts `json:"counts"`
	// Doubt is, for each inner edge, how many readings may be on the other side of it
	// than they were counted on, since a sketch says no better; nil where none may.
	Doubt Counts `json:"doubt,omitempty"`
}

// Add adds another tally in the same bins.
func (t *Tally) Add(other *Tally) {
	if t.Counts == nil {
		t.Counts = make(Counts, len(other.Counts))
	}
	t.Counts.Add(other.Counts)
	if other.Doubt == nil {
		return
	}
	if t.Doubt == nil {
		t.Doubt = make(Counts, len(other.Doubt))
	}
	t.Doubt.Add(other.Doubt)
}

// IsApproximate says that some reading may have been counted in another bin.
func (t *Tally) IsApproximate() bool { return t.Doubt != nil && t.Doubt.Total() > 0 }
