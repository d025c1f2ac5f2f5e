package policy

import (
	"fmt"
	"time"

	"github.com/modelvigil/modelvigil/internal/strict"
)

// MaxBudget is how many retrainings a budget may allow in its time: a monitor remembers
// when as many went out.
const MaxBudget = 1000

// MaxBudgetPer is the longest time that a budget is of.
const MaxBudgetPer = maxWait

// Budget is a hard bound for what retrainings may cost: in no span as long as Per are
// there more of them than Retrainings, but for those that an operator forces.
type Budget struct {
	Retrainings int      `json:"retrainings"` // 1 to MaxBudget
	Per         Duration `json:"per"`         // 1 s to MaxBudgetPer
}

func (b *Budget) decodeAt(data []byte, path string) error {
	return strict.Decode(data, path, strict.Fields{"retrainings": &b.Retrainings, "per": &b.Per})
}

func (b *Budget) validate() (faults []error) {
	if b.Retrainings < 1 || b.Retrainings > MaxBudget {
		faults = append(faults, fmt.Errorf("budget.retrainings: must be 1 to %d, got %d", MaxBudget, b.Retrainings))
	}
	return append(faults, strict.At("budget.per", checkWait(b.Per, time.Second)))
}

// String is the budget in words: `10 retrainings per 720h`.
func (b *Budget) String() string {
	noun := "retrainings"
	if b.Retrainings == 1 {
		noun = "retraining"
	}
	return fmt.Sprintf("%d %s per %s", b.Retrainings, noun, b.Per)
}
