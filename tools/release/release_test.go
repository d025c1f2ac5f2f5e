// Package release tests what is released: that the image's binaries are the same
// wherever they are built, that they need nothing of the image, and that their
// bills of materials are what is in them.
package release

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const root = "../.."

var programs = []string{"modelvigil", "modelvigil-worker"}

// Full says that a build without any cache is wanted, too: all of the standard
// library and of every dependency, in five minutes or more.
const Full = "MODELVIGIL_REPRODUCIBLE"

// Two builds, of two copies of the source in directories of different names, each
// with a compiler's cache of its own, by the command that the Dockerfile has.
func TestTheBinariesAreTheSameWhereverTheyAreBuilt(t *testing.T) {
	if os.Getenv(Full) == "" {
		t.Skipf("%s is not set: two whole builds take minutes; `make reproducible` sets it", Full)
	}
	if usual := os.Getenv("GOFLAGS"); usual != "" {
		t.Logf("GOFLAGS=%s is not used", usual)
	}
	first, second := build(t, filepath.Join(t.TempDir(), "a"), t.TempDir()), build(t, filepath.Join(t.TempDir(), "another", "place"), t.TempDir())
	for _, program := range programs {
		t.Logf("%s: %x", program, hash(t, filepath.Join(first, program)))
		require.Equal(t, hash(t, filepath.Join(first, program)), hash(t, filepath.Join(second, program)), program)
	}
}

// The image is empty but for the binaries and certificates.
func TestTheBinariesNeedNothingElse(t *testing.T) {
	built := build(t, filepath.Join(t.TempDir(), "source"), "")
	for _, program := range programs {
		file, err := elf.Open(filepath.Join(built, program))
		require.NoError(t, err)
		libraries, err := file.ImportedLibraries()
		require.NoError(t, err)
		require.Empty(t, libraries, "%s is static", program)
		for _, segment := range file.Progs {
			require.NotEqual(t, elf.PT_INTERP, segment.Type, "%s needs no loader", program)
		}
		require.NoError(t, file.Close())

		text, err := os.ReadFile(filepath.Join(built, program))
		require.NoError(t, err)
		home, err := os.UserHomeDir()
		require.NoError(t, err)
		for _, path := range []string{built, home + "/go/pkg", runtime.GOROOT() + "/src"} { //nolint:staticcheck // where this machine has it
			require.NotContains(t, string(text), path, "%s tells nothing of where it was built", program)
		}
	}
}

// The base is one image for good, of the Go version that the tests run with.
func TestTheDockerfileIsPinned(t *testing.T) {
	for _, from := range regexp.MustCompile(`(?m)^FROM (?:--\S+ )?(\S+)`).FindAllStringSubmatch(dockerfile(t), -1) {
		if from[1] != "scratch" {
			require.Regexp(t, `^golang:`+strings.TrimPrefix(runtime.Version(), "go")+`-\S+@sha256:[0-9a-f]{64}$`, from[1])
		}
	}
}

// The bill of materials is valid by CycloneDX's schema, and lists the modules that
// the linker says are in the binary, and no others.
func TestBillsOfMaterialsAreValidAndWhole(t *testing.T) {
	directory := os.Getenv("MODELVIGIL_SBOM")
	if directory == "" {
		t.Skip("MODELVIGIL_SBOM names no directory of bills of materials; `make sbom` sets it")
	}
	schema := compile(t)
	for _, program := range programs {
		file, err := os.Open(filepath.Join(directory, program+".cdx.json"))
		require.NoError(t, err)
		document, err := jsonschema.UnmarshalJSON(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.NoError(t, schema.Validate(document), program)

		info, err := buildinfo.ReadFile(filepath.Join(directory, program))
		require.NoError(t, err)
		linked := []string{"std@" + info.GoVersion}
		for _, module := range info.Deps {
			linked = append(linked, module.Path+"@"+module.Version)
		}
		text, err := os.ReadFile(filepath.Join(directory, program+".cdx.json"))
		require.NoError(t, err)
		var bill struct {
			Components []struct{ Name, Version string }
		}
		require.NoError(t, json.Unmarshal(text, &bill))
		var listed []string
		for _, component := range bill.Components {
			listed = append(listed, component.Name+"@"+component.Version)
		}
		slices.Sort(linked)
		slices.Sort(listed)
		require.Equal(t, linked, listed, program)
		t.Logf("%s: %d modules", program, len(listed))
	}
}

func dockerfile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\\\n", "")
}

// build copies what .dockerignore lets through to a directory, and builds it there
// as the Dockerfile does, with a compiler's cache or the usual one.
func build(t *testing.T, source, cache string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(source, 0o755))
	allowed, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	for _, line := range strings.Fields(string(allowed)) {
		if name, ok := strings.CutPrefix(line, "!"); ok {
			out, err := exec.Command("cp", "-r", filepath.Join(root, name), source).CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
	command := regexp.MustCompile(`(?m)export CGO_ENABLED=0 .*go build .*$`).FindString(dockerfile(t))
	require.NotEmpty(t, command, "how the Dockerfile builds")
	built := t.TempDir()
	cmd := exec.CommandContext(context.Background(), "sh", "-euc", strings.ReplaceAll(command, "/out/", built+"/"))
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH, "VERSION=test", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+cache)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return built
}

func hash(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return sha256.Sum256(text)
}

// compile reads the schemas of CycloneDX 1.6, which its Go library comes with.
func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	for name, id := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schemax.json": "jsf-0.82.schema.json",
	} {
		file, err := os.Open(filepath.Join(strings.TrimSpace(string(out)), "schema", name))
		require.NoError(t, err)
		document, err := jsonschema.UnmarshalJSON(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.NoError(t, compiler.AddResource(fmt.Sprintf("http://cyclonedx.org/schema/%s", id), document))
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	require.NoError(t, err)
	return schema
}
