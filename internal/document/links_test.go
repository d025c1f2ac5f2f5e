package document

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinksOutOfAFolderOfPoliciesAreNotFollowed(t *testing.T) {
	root := t.TempDir()
	folder, outside := filepath.Join(root, "policies"), filepath.Join(root, "outside")
	for _, dir := range []string{filepath.Join(folder, "..2026"), outside} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	for _, file := range []string{filepath.Join(folder, "..2026", "a.yaml"), filepath.Join(outside, "secret.yaml")} {
		require.NoError(t, os.WriteFile(file, []byte("model_name: a\n"), 0o600))
	}
	link := func(to, from string) { require.NoError(t, os.Symlink(to, filepath.Join(folder, from))) }
	link("..2026", "..data") // as Kubernetes puts a ConfigMap into a pod
	link("..data/a.yaml", "a.yaml")
	files, err := expand([]string{folder})
	require.NoError(t, err)
	assert.Contains(t, files, filepath.Join(folder, "a.yaml"))

	link("../outside/secret.yaml", "near.yaml")
	link(filepath.Join(outside, "secret.yaml"), "far.yaml")
	link("nowhere.yaml", "broken.yaml")
	files, err = expand([]string{folder})
	require.ErrorContains(t, err, "near.yaml: is a link out of the folder, and not followed")
	require.ErrorContains(t, err, "far.yaml: is a link out of the folder, and not followed")
	require.ErrorContains(t, err, "broken.yaml")
	assert.NotContains(t, strings.Join(files, " "), "near.yaml")
}
