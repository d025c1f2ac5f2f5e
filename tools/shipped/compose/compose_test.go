// Package compose checks docker-compose.yml against what it names. It is a
// module of its own, so that the compose loader stays out of modelvigil's.
package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/tools/shipped/compose/stack"
)

// root is the repository.
const root = "../../.."

// load reads docker-compose.yml as `docker compose` does, on a machine where
// nothing is set.
func load(t *testing.T) *types.Project {
	t.Helper()
	project, err := stack.Load(t.Context(), filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	return project
}

func TestWhatServicesAreBuiltFromExists(t *testing.T) {
	for name, service := range load(t).Services {
		if service.Build == nil {
			continue
		}
		dockerfile := filepath.Join(service.Build.Context, service.Build.Dockerfile)
		require.FileExists(t, dockerfile, name)
		text, err := os.ReadFile(dockerfile)
		require.NoError(t, err)
		for _, directory := range regexp.MustCompile(`\./(\w+)`).FindAllStringSubmatch(string(text), -1) {
			require.DirExists(t, filepath.Join(service.Build.Context, directory[1]), "%s: %s", name, dockerfile)
		}
		require.Regexp(t, `(?m)^USER 65532`, string(text), "%s does not run as root", name)
	}
}

// The image is built from what .dockerignore lets through, which must be all
// that the binaries need.
func TestNothingThatIsBuiltIsIgnored(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	sent := strings.Fields(string(text))
	list := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "./worker", "./starter")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	for _, path := range strings.Fields(string(out)) {
		directory := strings.Split(path, "/")[3]
		require.Contains(t, sent, "!"+directory, "%s is needed by the image", path)
	}
}

func TestImagesArePinned(t *testing.T) {
	for name, service := range load(t).Services {
		if service.Build == nil {
			require.Regexp(t, `:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$|@sha256:[0-9a-f]{64}$`, service.Image, name)
		}
	}
}

// The test of the loop runs what the file names.
func TestTheServerIsTheOneThatIsTested(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "tools/server/go.mod"))
	require.NoError(t, err)
	pinned := regexp.MustCompile(`go\.temporal\.io/server v(\S+)`).FindSubmatch(text)
	require.NotNil(t, pinned)
	services := load(t).Services
	require.Equal(t, "temporalio/server:"+string(pinned[1]), services["temporal"].Image)
	for _, job := range []string{"schema", "namespace"} {
		require.Equal(t, "temporalio/admin-tools:"+string(pinned[1]), services[job].Image)
	}
}

func TestServicesWaitForWhatCanBeWaitedFor(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for on, dependency := range service.DependsOn {
			upstream, err := project.GetService(on)
			require.NoError(t, err)
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				require.NotNil(t, upstream.HealthCheck, "%s waits for the health of %s", name, on)
			case types.ServiceConditionCompletedSuccessfully:
				require.Empty(t, upstream.Restart, "%s waits for the end of %s", name, on)
			default:
				t.Errorf("%s waits only for the start of %s", name, on)
			}
		}
	}
	require.NotNil(t, project.Services["worker"].HealthCheck)
}

func TestMountsExist(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind {
				_, err := os.Stat(volume.Source)
				require.NoError(t, err, name)
				continue
			}
			require.Contains(t, project.Volumes, volume.Source, name)
		}
		for _, config := range service.Configs {
			defined, ok := project.Configs[config.Source]
			require.True(t, ok, "%s: config %s", name, config.Source)
			if defined.Content == "" {
				require.FileExists(t, defined.File, name)
			}
		}
	}
}

// Every setting of our services is one that the built binaries know, the worker's
// values are good ones, and its health check is a flag that it has.
func TestSettingsAreTheBinaries(t *testing.T) {
	programs := t.TempDir()
	build := exec.Command("make", "build", "BIN="+programs)
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	services := load(t).Services
	for name, program := range map[string]string{"worker": "modelvigil-worker", "modelvigil": "modelvigil", "gateway": "modelvigil"} {
		help, err := exec.Command(filepath.Join(programs, program), "-h").Output()
		require.NoError(t, err)
		for variable := range services[name].Environment {
			if variable == "GOMEMLIMIT" {
				continue // of the Go runtime
			}
			require.Regexp(t, `(?m)^  `+variable+`\b`, string(help), "%s: no setting is named %s", name, variable)
		}
	}

	worker := services["worker"]
	require.Equal(t, []string{"CMD", "/modelvigil-worker"}, []string(worker.HealthCheck.Test[:2]))
	probe := exec.Command(filepath.Join(programs, "modelvigil-worker"), worker.HealthCheck.Test[2:]...)
	for variable, value := range worker.Environment {
		if variable == "LISTEN_ADDRESS" {
			*value = "127.0.0.1:1" // nobody listens there
		}
		probe.Env = append(probe.Env, variable+"="+*value)
	}
	complaint, err := probe.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, probe.ProcessState.ExitCode(), "1: not ready; 2 would be a wrong setting or flag: %s", complaint)
	require.Contains(t, string(complaint), "127.0.0.1:1")

	require.Len(t, worker.Ports, 1)
	require.Equal(t, "127.0.0.1:9464", worker.Ports[0].HostIP+":"+worker.Ports[0].Published, "as without containers")
}
