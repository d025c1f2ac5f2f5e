package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
)

func TestASeedDealsTheSameFaultsAndNoTargetTwoAtATime(t *testing.T) {
	for seed := range uint64(50) {
		faults := schedule(seed, 3*time.Minute)
		require.Equal(t, faults, schedule(seed, 3*time.Minute))
		until, kills := map[string]time.Duration{}, map[string]int{}
		for _, f := range faults {
			require.GreaterOrEqual(t, f.At, until[f.Target], "seed %d: %v", seed, f)
			until[f.Target] = f.At + f.For
			require.LessOrEqual(t, until[f.Target], 3*time.Minute)
			kills[string(f.Kind)+f.Target]++
		}
		assert.GreaterOrEqual(t, kills["killworker-0"]+kills["killworker-1"], 20, "seed %d", seed)
		assert.GreaterOrEqual(t, kills["killserver"], 5, "seed %d", seed)
		assert.GreaterOrEqual(t, kills["cutlink-publisher-0"]+kills["cutlink-publisher-1"], 10, "seed %d", seed)
	}
	assert.NotEqual(t, schedule(1, time.Minute), schedule(2, time.Minute))
}

// good is a record without a fault, and what was said of it.
func good() (record, []*claim) {
	calm := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(id string, triggered time.Duration) job {
		return job{request: modelops.Request{RequestID: id, TriggeredAt: calm.Add(triggered)}, began: calm.Add(triggered + 100*time.Millisecond)}
	}
	s := monitor.Status{Counters: monitor.Counters{Rejected: 3, Breaches: 12, Suppressed: map[monitor.Suppression]int64{journal.ByCooldown: 10}}}
	s.Retrainings.Requested = 2
	s.Versions = map[string]monitor.VersionStatus{"v1": {Metrics: map[string]monitor.MetricStatus{"p0-1": {Count: 100}}}}
	return record{"fraud", s, []job{at("a/1", -time.Second), at("a/2", 9*time.Second)}, 10 * time.Second, calm},
		[]*claim{{"p0-1", "", 110, 90}, {rejected, "fraud", 4, 3}, {"stray", "other", 5, 5}}
}

func TestTheCheckerFindsEachViolation(t *testing.T) {
	r, said := good()
	require.Empty(t, check(r, said))
	for what, spoil := range map[string]func(*record, []*claim){
		"10 acknowledged events lost":          func(_ *record, said []*claim) { said[0].acked = 110 },
		"10 events counted twice":              func(_ *record, said []*claim) { said[0].tried = 90 },
		"rejected: 1 acknowledged events lost": func(_ *record, said []*claim) { said[1].acked = 4 },
		"never came":                           func(r *record, _ []*claim) { r.status.Gaps = 1 },
		"were not kept":                        func(r *record, _ []*claim) { r.status.Overflow = 1 },
		"triggered 9s apart": func(r *record, _ []*claim) {
			r.jobs[1].request.TriggeredAt = r.jobs[0].request.TriggeredAt.Add(9 * time.Second)
		},
		"was asked for while":                     func(r *record, _ []*claim) { r.jobs[1].began = r.jobs[0].began.Add(time.Second) },
		"3 retrainings were decided, 2 different": func(r *record, _ []*claim) { r.status.Retrainings.Requested = 3; r.status.Breaches++ },
		"1 retrainings failed":                    func(r *record, _ []*claim) { r.status.Retrainings.Failed = 1 },
		"nothing was triggered":                   func(r *record, _ []*claim) { r.calm = r.calm.Add(time.Hour) },
		"13 breaches, but 12":                     func(r *record, _ []*claim) { r.status.Breaches = 13 },
		"status of": func(r *record, _ []*claim) {
			r.status.Phase = contract.Phase(bytes.Repeat([]byte("x"), monitor.MaxStateBytes))
		},
	} {
		r, said := good()
		spoil(&r, said)
		violations := check(r, said)
		require.Len(t, violations, 1, what)
		assert.Contains(t, violations[0], what)
	}
}

// A short run of the real thing; `make chaos` has longer ones.
func TestHalfAMinuteOfChaosViolatesNothing(t *testing.T) {
	patience.Long(t)
	temporal := os.Getenv("MODELVIGIL_TEMPORAL")
	if temporal == "" {
		t.Skip("no temporal CLI: set MODELVIGIL_TEMPORAL to its path, or run `make test`, which builds it")
	}
	dir := t.TempDir()
	for folder, command := range map[string][]string{"../..": {"make", "build", "BIN=" + dir}, ".": {"go", "build", "-o", dir + "/", "."}} {
		build := exec.Command(command[0], command[1:]...)
		build.Dir = folder
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	out, err := exec.Command(filepath.Join(dir, "chaos"), "-bin", dir, "-temporal", temporal, "-seed", "1", "-minutes", "0.5", "-rate", "20000", "-models", "10", "-shrink", "0").CombinedOutput()
	require.NoError(t, err, string(out))
	t.Log(string(bytes.TrimSpace(out[bytes.LastIndex(out, []byte("seed 1:")):])))
	require.Contains(t, string(out), "seed 1: 0 violations")
}
