package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
