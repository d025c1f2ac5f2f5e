package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/document"
)

// Kubernetes mounts a ConfigMap as links through a hidden folder of a date.
func TestAFolderMountedFromAConfigMapHasEachFileOnce(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "..2026_11_26_10_00_00.1"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "..2026_11_26_10_00_00.1", "fraud.yaml"), []byte("model_name: fraud\n"), 0o600))
	require.NoError(t, os.Symlink("..2026_11_26_10_00_00.1", filepath.Join(folder, "..data")))
	require.NoError(t, os.Symlink("..data/fraud.yaml", filepath.Join(folder, "fraud.yaml")))

	documents, err := document.Read([]string{folder}, nil)

	require.NoError(t, err)
	require.Len(t, documents, 1)
	assert.Equal(t, "fraud", documents[0].Model)
}

func TestAPolicysOwnFieldWinsOverAMergedOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(file, []byte("model_name: fraud\nrules:\n  - &base {name: a, metric: accuracy, below: 0.9}\n  - {<<: *base, name: b, below: 0.8}\n"), 0o600))

	documents, err := document.Read([]string{file}, nil)

	require.NoError(t, err)
	require.Len(t, documents[0].Policy.Rules, 2)
	assert.Equal(t, "b", documents[0].Policy.Rules[1].Name)
}
