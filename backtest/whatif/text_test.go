package whatif_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/monitor/journal"
	"github.com/modelvigil/modelvigil/policy"
)

func TestBothListsAreShownSideBySide(t *testing.T) {
	decision := func(at time.Duration, kind policy.Kind, reason string) monitor.Decision {
		return monitor.Decision{At: noon.Add(at), Kind: kind, Rule: "accuracy", Reason: reason, ModelVersion: "v7"}
	}
	suppressed := decision(3*time.Minute, policy.Suppressed, "accuracy 0.8200 below threshold 0.9000")
	suppressed.SuppressedBy, suppressed.Count = journal.ByCooldown, 4
	answer := whatif.Answer{
		ModelName: "fraud", Runs: 2, From: noon, Until: noon.Add(time.Hour), Notes: []string{"a\nnote"},
		Recorded: []monitor.Decision{
			decision(time.Minute, policy.Triggered, "accuracy 0.8300 below threshold 0.9000"),
			decision(2*time.Minute, policy.Succeeded, ""),
			suppressed,
			{At: noon.Add(5 * time.Minute), Kind: policy.Paused, By: "ada", Reason: "move"},
		},
		WhatIf: []monitor.Decision{
			decision(0, policy.Triggered, "accuracy 0.9100 below threshold 0.9500"),
			decision(time.Minute+time.Second, policy.Triggered, "accuracy 0.8300 below threshold 0.9500"),
			decision(2*time.Minute, policy.Succeeded, ""),
			{At: noon.Add(5 * time.Minute), Kind: policy.Paused, By: "ada", Reason: "move"},
		},
	}
	require.Equal(t, `fraud: 2 runs from 2026-03-01 12:00:00 UTC until 2026-03-01 13:00:00 UTC
             RECORDED  WHAT IF
decisions    4         4
retrainings  1         2

ON                       RECORDED                           WHAT IF             VERSION  WHY
2026-03-01 12:00:00 UTC  -                                  triggered accuracy  v7       accuracy 0.9100 below threshold 0.9500
2026-03-01 12:01:00 UTC  triggered accuracy                 same, but           v7       accuracy 0.8300 below threshold 0.9000 | accuracy 0.8300 below threshold 0.9500
2026-03-01 12:02:00 UTC  succeeded accuracy                 same                v7
2026-03-01 12:03:00 UTC  suppressed accuracy, cooldown, 4×  -                   v7       accuracy 0.8200 below threshold 0.9000
2026-03-01 12:05:00 UTC  paused                             same                         by ada: move

note: a\nnote
`, answer.Text())
}
