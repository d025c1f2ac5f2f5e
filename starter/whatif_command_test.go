package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestBothListsAreShownSideBySide(t *testing.T) {
	decision := func(at time.Duration, kind policy.Kind, reason string) monitor.Decision {
		return monitor.Decision{At: noon.Add(at), Kind: kind, Rule: "accuracy", Reason: reason, ModelVersion: "v7"}
	}
	suppressed := decision(3*time.Minute, policy.Suppressed, "accuracy 0.8200 below threshold 0.9000")
	suppressed.SuppressedBy, suppressed.Count = monitor.ByCooldown, 4
	var text strings.Builder
	require.NoError(t, printWhatIf(&text, whatif.Answer{
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
	}))
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
`, text.String())
}

func TestTheOtherPolicyIsTheModelsOwnOrTheOnlyOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.yaml")
	require.NoError(t, os.WriteFile(file, []byte("model_name: a\ncooldown: 1h\n---\nmodel_name: b\ncooldown: 2h"), 0o600))
	policy, err := otherPolicy(file, "b", nil)
	require.NoError(t, err)
	require.EqualValues(t, 2*time.Hour, policy.Cooldown.Or(0))
	_, err = otherPolicy(file, "c", nil)
	require.ErrorContains(t, err, `policies.yaml: none of its 2 policies is for "c"`)

	policy, err = otherPolicy("-", "c", strings.NewReader("model_name: a\ncooldown: 3h"))
	require.NoError(t, err)
	require.EqualValues(t, 3*time.Hour, policy.Cooldown.Or(0))
	_, err = otherPolicy("-", "c", strings.NewReader("model_name: a\ncooldwn: 3h"))
	require.ErrorContains(t, err, "document 1: cooldwn: unknown field")
}
