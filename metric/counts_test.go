package metric_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/metric"
)

func TestCountsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := metric.Counts(rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 300), rapid.Int64Range(0, metric.MaxCount)), 0, 101).Draw(t, "counts"))
		encoded, err := json.Marshal(counts)
		require.NoError(t, err)
		assert.Less(t, len(encoded), 40+len(counts)*8, "it never takes much more than the numbers do")

		var read metric.Counts
		require.NoError(t, json.Unmarshal(encoded, &read), string(encoded))
		require.Equal(t, counts, read)

		listed, err := json.Marshal([]int64(counts))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(listed, &read))
		require.Equal(t, counts, read)
	})
}

// mostOfCounts is what counts may cost: a few bytes may stand for 255 of them.
var mostOfCounts = toll.Most{BytesPerByte: 100, Bytes: 64 << 10, WorkPerByte: 2000, Work: 16 << 20}

func FuzzPackedCounts(f *testing.F) {
	f.Add(`"AgEAgA"`)
	f.Fuzz(func(t *testing.T, text string) {
		var read metric.Counts
		var err error
		mostOfCounts.Hold(t, len(text), func() { err = json.Unmarshal([]byte(text), &read) })
		if err != nil {
			return
		}
		require.NoError(t, read.Check())
		encoded, err := json.Marshal(read)
		require.NoError(t, err)
		var again metric.Counts
		if len(read) <= 255 {
			require.NoError(t, json.Unmarshal(encoded, &again))
			require.Equal(t, read, again)
		}
	})
}
