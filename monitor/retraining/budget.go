package retraining

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modelvigil/modelvigil/policy"
)

// A budget is a cooldown of n retrainings: where the policy allows n of them in a time,
// the next may go out when that time has passed since the nth last. Whatever goes out is
// counted, forced ones too, under every policy: another one counts from the same past.

// BudgetUntil is the first instant at which the budget has room for another retraining;
// it may have passed. It is zero where fewer than it allows went out, or the policy has
// none. In a dry run what would have gone out counts as well.
func (c *Course) BudgetUntil() time.Time {
	budget := c.policy.Budget
	if budget == nil {
		return time.Time{}
	}
	var dry instants
	if c.policy.DryRun {
		dry = c.all.DryRunAt
	}

	at, ok := nthLast(budget.Retrainings, c.all.WentOut, dry)
	if !ok {
		return time.Time{}
	}
	return at.Add(time.Duration(budget.Per))
}

// usedUp says that the budget has no room.
func (c *Course) usedUp() string {
	return fmt.Sprintf("the budget of %s is used up until %s", c.policy.Budget, c.BudgetUntil().Format(time.RFC3339))
}

// BudgetStatus is how much of a budget is used.
type BudgetStatus struct {
	policy.Budget
	Used int `json:"used"` // retrainings in the time that ends now, forced ones too
	// Until is when there is room for another one, while it is used up.
	Until time.Time `json:"until,omitzero"`
}

// Budget says how much of the policy's is used at now; nil where it has none.
func (c *Course) Budget(now time.Time) *BudgetStatus {
	budget := c.policy.Budget
	if budget == nil {
		return nil
	}

	status := &BudgetStatus{Budget: *budget, Used: c.all.WentOut.after(now.Add(-time.Duration(budget.Per)))}
	if c.policy.DryRun {
		status.Used += c.all.DryRunAt.after(now.Add(-time.Duration(budget.Per)))
	}
	if until := c.BudgetUntil(); now.Before(until) {
		status.Until = until
	}
	return status
}

// instants are in order, and at most as many as a budget may have to know: the last
// policy.MaxBudget, within policy.MaxBudgetPer. In JSON they are packed, 8 to 12 bytes
// each.
type instants []time.Time

// with are the instants and a later one.
func (t instants) with(at time.Time) instants {
	first := max(0, len(t)+1-policy.MaxBudget)
	for first < len(t) && !t[first].After(at.Add(-policy.MaxBudgetPer)) {
		first++
	}
	return append(slices.Clone(t[first:]), at)
}

// withoutLast are all but the latest.
func (t instants) withoutLast() instants { return t[:max(0, len(t)-1)] }

// after is how many of them are later than an instant.
func (t instants) after(instant time.Time) int {
	n := 0
	for n < len(t) && t[len(t)-1-n].After(instant) {
		n++
	}
	return n
}

// nthLast is the nth last of all instants of two lists.
func nthLast(n int, a, b instants) (at time.Time, ok bool) {
	if len(a)+len(b) < n {
		return at, false
	}
	if len(b) == 0 {
		return a[len(a)-n], true
	}

	for range n {
		if len(b) == 0 || len(a) > 0 && a[len(a)-1].After(b[len(b)-1]) {
			at = a[len(a)-1]
			a = a[:len(a)-1]
		} else {
			at = b[len(b)-1]
			b = b[:len(b)-1]
		}
	}

	return at, true
}

// MarshalJSON packs them: for each the seconds since the one before, or since 1970, and
// its nanoseconds, as varints in base64.
func (t instants) MarshalJSON() ([]byte, error) {
	var packed []byte
	before := int64(0)
	for _, at := range t {
		packed = binary.AppendVarint(packed, at.Unix()-before)
		packed = binary.AppendVarint(packed, int64(at.Nanosecond()))
		before = at.Unix()
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(packed))
}

// UnmarshalJSON reads what MarshalJSON has packed.
func (t *instants) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("instants: %w", err)
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("instants: %w", err)
	}

	*t = nil
	seconds := int64(0)
	for len(packed) > 0 {
		since, n := binary.Varint(packed)
		nanoseconds, m := binary.Varint(packed[max(0, n):])
		if n <= 0 || m <= 0 || nanoseconds < 0 || nanoseconds >= int64(time.Second) {
			return errors.New("instants: they are cut off")
		}

		seconds += since
		*t = append(*t, time.Unix(seconds, nanoseconds).UTC())
		packed = packed[n+m:]
	}
	return nil
}
