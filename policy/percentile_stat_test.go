package policy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAPercentileMayBeWrittenWithAnyNumberOfDecimals(t *testing.T) {
	for _, stat := range []Stat{"p50", "p50.0", "p050", "p.5", "p99.85", "p0.1", "p99.9"} {
		assert.NoError(t, stat.validate(), stat)
	}
	for _, stat := range []Stat{"p", "p.", "p0", "p0.09", "p99.91", "p100", "p1/2", "p5e1", "p+5", "p-5", "p5.5.5", "p0x10", "p50.0000000000000000000", "50"} {
		assert.Error(t, stat.validate(), stat)
	}
}
