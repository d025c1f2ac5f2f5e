package monitor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostInputs is how long a script is at most.
const mostInputs = 80

// The machine decides as one that was written a second time, as simply as can be,
// whatever comes: it does so cut at every input by continue-as-new, woken only when
// it asks to be, and woken at any instant in between. MONITOR_STEPS says how many
// inputs are tried.
func TestTheMachineDecidesAsTheNaiveOne(t *testing.T) {
	steps, seed := 50_000, uint64(1)
	if text := os.Getenv("MONITOR_STEPS"); text != "" {
		var err error
		steps, err = strconv.Atoi(text)
		require.NoError(t, err, "MONITOR_STEPS")
	}
	if text := os.Getenv("MONITOR_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "MONITOR_SEED")
	}
	for ; steps > 0; seed++ {
		s := generate(seed, mostInputs)
		if err := try(s, seed, 12); err != nil {
			report(t, s, seed)
		}
		steps -= len(s)
	}
}

// What failed once is tried first.
func TestTheMachineDecidesAsTheNaiveOneWhatFailedOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/naive/*.jsonl")
	require.NoError(t, err)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := parseScript(string(text))
			require.NoError(t, err)
			require.NoError(t, try(s, 1, 1))
		})
	}
}

// report shrinks a script that fails, and fails the test with what is left of it.
func report(t *testing.T, s script, seed uint64) {
	t.Helper()
	s = shrink(s, func(s script) bool { return try(s, seed, 1) != nil })
	require.Fail(t, fmt.Sprintf("%v", try(s, seed, 1)), "seed %d; the script, to be kept in testdata/naive:\n# seed %d\n%s", seed, seed, s)
}

// shrink drops inputs while what is left still fails.
func shrink(s script, fails func(script) bool) script {
	for size := len(s) / 2; size > 0; {
		smaller := false
		for from := 0; from+size <= len(s); {
			without := append(append(script{}, s[:from]...), s[from+size:]...)
			if fails(without) {
				s, smaller = without, true
				continue
			}
			from += size
		}
		if !smaller || size > len(s) {
			size /= 2
		}
	}
	return s
}
