package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/document"
)

func TestAProfileIsReadFromBesideThePolicy(t *testing.T) {
	folder := t.TempDir()
	policy := filepath.Join(folder, "p.yaml")
	write := func(file, text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(policy, "model_name: m\nrules:\n- {metric: age, period: 24h, above: 0.1, drift: {statistic: ks, reference: {from: profile, profile: v7.json}}}\n")

	_, err := document.Read([]string{policy}, nil)
	assert.ErrorContains(t, err, "v7.json")

	write(filepath.Join(folder, "v7.json"), `{"metrics": {"age": {"edges": [1], "counts": [1, 1]}, "height": {"edges": [1], "counts": [1, 1]}}}`)
	documents, err := document.Read([]string{policy}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"age"}, documents[0].Policy.Profiles["v7.json"].Names(false), "what no rule needs is left out")

	write(policy, "model_name: m\nrules:\n- {metric: age, period: 24h, above: 0.1, drift: {statistic: ks, reference: {from: profile, profile: ../v7.json}}}\n")
	_, err = document.Read([]string{policy}, nil)
	assert.ErrorContains(t, err, "must be a file beside the policy")
}

func TestAFolderOfPoliciesMayHoldTheProfilesThatTheyName(t *testing.T) {
	folder := t.TempDir()
	write := func(file, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600))
	}
	write("p.json", `{"model_name": "m", "rules": [{"metric": "age", "period": "24h", "above": 0.1, "drift": {"statistic": "ks", "reference": {"from": "profile", "profile": "v7.profile.json"}}}]}`)
	write("v7.profile.json", `{"metrics": {"age": {"edges": [1], "counts": [1, 1]}}}`)

	documents, err := document.Read([]string{folder}, nil)

	require.NoError(t, err)
	require.Len(t, documents, 1)
	assert.Len(t, documents[0].Policy.Profiles, 1)
}
