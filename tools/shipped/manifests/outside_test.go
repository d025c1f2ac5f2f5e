package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// fromNothing are the commands of docs/deploying.md that lead to a cluster.
func fromNothing(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/deploying.md"))
	require.NoError(t, err)
	_, chapter, found := strings.Cut(string(text), "## On Kubernetes")
	require.True(t, found)
	_, block, found := strings.Cut(chapter, "```console\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```")
	var commands []string
	for line := range strings.Lines(block) {
		commands = append(commands, strings.TrimPrefix(strings.TrimSpace(line), "$ "))
	}
	return commands
}

// What is copied out of the tree, by the commands as they stand, renders as it does in it.
func TestAnOverlayOutsideTheTreeRendersTheSame(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "clone")
	require.NoError(t, os.CopyFS(filepath.Join(clone, "deploy"), os.DirFS(filepath.Join(root, "deploy"))))
	for _, command := range fromNothing(t) {
		if strings.HasPrefix(command, "docker ") || strings.HasPrefix(command, "kubectl ") {
			continue // which need a registry, and a cluster
		}
		shell := exec.CommandContext(t.Context(), "bash", "-ceuo", "pipefail", command)
		shell.Dir = clone
		said, err := shell.CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, said)
	}

	outside, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(clone, "../ml-watch/overlay"))
	require.NoError(t, err)
	inside, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "deploy/overlays/own-cluster"))
	require.NoError(t, err)
	same, err := inside.AsYaml()
	require.NoError(t, err)
	rendered, err := outside.AsYaml()
	require.NoError(t, err)
	assert.Equal(t, string(same), string(rendered))
	for _, file := range []string{"tokens", "payments", "tls.crt", "tls.key"} {
		assert.FileExists(t, filepath.Join(clone, file), "a secret is made of it")
	}
}

var (
	secretMade = regexp.MustCompile(`kubectl -n (\S+) create secret (?:generic|tls) (\S+)`)
	objectUsed = regexp.MustCompile(`kubectl -n (\S+) (?:rollout status|exec) deploy/(\S+)`)
)

// Pods wait for ever for a secret that nobody made.
func TestTheCommandsMakeEverySecretThatPodsNeed(t *testing.T) {
	objects := render(t, "deploy/overlays/own-cluster")
	deployments := all[appsv1.Deployment](t, objects, "Deployment")
	made := map[string]bool{}
	for _, command := range fromNothing(t) {
		if found := secretMade.FindStringSubmatch(command); found != nil {
			assert.Equal(t, objects[0].GetNamespace(), found[1], command)
			made[found[2]] = true
		}
		if found := objectUsed.FindStringSubmatch(command); found != nil {
			assert.Contains(t, deployments, found[2], command)
		}
	}
	require.NotEmpty(t, deployments)

	for name, deployment := range deployments {
		for _, volume := range deployment.Spec.Template.Spec.Volumes {
			if volume.Secret != nil {
				assert.True(t, made[volume.Secret.SecretName], "%s mounts the secret %s", name, volume.Secret.SecretName)
			}
		}
	}
}
