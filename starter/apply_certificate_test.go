package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/document"
)

func TestACertificateGoesToThePolicyThatItIsOf(t *testing.T) {
	const wanted = "model_name: fraud\nrules: [{metric: accuracy, below: 0.9}]\n"
	files := map[string]string{"policy.yaml": wanted, "other.yaml": "model_name: other\n", "metrics.csv": hours()}
	code, out, stderr := inFolder(t, files, "", "certify", "policy.yaml", "--events", "metrics.csv", "--samples", "40", "--change", "accuracy=-0.06", "-o", "json")
	require.Zero(t, code, stderr)
	file := filepath.Join(t.TempDir(), "certificate.json")
	require.NoError(t, os.WriteFile(file, []byte(out), 0o600))

	read := func(text string) []document.Document {
		policyFile := filepath.Join(t.TempDir(), "policy.yaml")
		require.NoError(t, os.WriteFile(policyFile, []byte(text), 0o600))
		documents, err := document.Read([]string{policyFile}, nil)
		require.NoError(t, err)
		return documents
	}
	options := applyOptions{certificate: file}
	documents := read("model_name: other\n---\n" + wanted + "team: payments\n")
	require.NoError(t, options.certify(documents))
	assert.Nil(t, documents[0].Policy.Certificate)
	require.NotNil(t, documents[1].Policy.Certificate)
	require.NoError(t, documents[1].Policy.Validate())
	assert.Contains(t, documents[1].Policy.Certificate.String(), "accuracy=-0.06 found in 100 %")

	err := options.certify(read(wanted + "cooldown: 2h\n"))
	require.ErrorContains(t, err, "certify it again")
	require.NoError(t, os.WriteFile(file, []byte("[]"), 0o600))
	require.ErrorContains(t, options.certify(documents), "must be what `modelvigil certify -o json` writes")
	require.NoError(t, (&applyOptions{}).certify(documents))
}
