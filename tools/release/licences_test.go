package release

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// permissive are the licences, by their SPDX ids, under which what is linked into
// the programs may be passed on with them.
var permissive = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "Unlicense", "CC0-1.0"}

// beside are further licences found in files of a module, of parts that are not
// linked or that are as permissive under another name.
var beside = []string{"BSD-2-Clause-Views", "BSD-3-Clause-Clear", "BSD-1-Clause", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "OFL-1.1", "PHP-3.01", "Python-2.0", "BSD-Source-Code"}

// silent are modules without a file that says their licence.
var silent = map[string]string{
	"github.com/nexus-rpc/nexus-proto-annotations": "of Temporal's makers, an option of a protobuf; it comes with go.temporal.io/api, and v0.1.0 has no file",
}

func TestEverythingInTheProgramsHasAPermissiveLicence(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-json=Module", "./worker", "./starter")
	list.Dir, list.Stderr = "../..", os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	modules := map[string]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var of struct{ Module *struct{ Path, Dir string } }
		if err := decoder.Decode(&of); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if of.Module != nil {
			modules[of.Module.Path] = of.Module.Dir
		}
	}
	require.Greater(t, len(modules), 20)
	for path, dir := range modules {
		if silent[path] != "" {
			continue
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		var found []string
		for _, entry := range entries {
			name := strings.ToUpper(entry.Name())
			if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") && !strings.HasPrefix(name, "UNLICENSE") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			require.NoError(t, err)
			for _, match := range licensecheck.Scan(text).Match {
				found = append(found, match.ID)
			}
		}
		assert.True(t, slices.ContainsFunc(found, func(id string) bool { return slices.Contains(permissive, id) }), "%s: no permissive licence in %s, but %v", path, dir, found)
		for _, id := range found {
			assert.True(t, slices.Contains(permissive, id) || slices.Contains(beside, id), "%s: %s", path, id)
		}
	}
}
