package manifests

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// Every setting is one that the built binary knows, and with all of them together
// it starts; as far as it gets without a cluster.
func TestTheBinariesTakeTheirSettings(t *testing.T) {
	programs, err := binaries()
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(programs) })
	for _, directory := range builds {
		t.Run(directory, func(t *testing.T) {
			objects := render(t, directory)
			for name, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
				container := deployment.Spec.Template.Spec.Containers[0]
				command := append([]string{}, container.Command...)
				if len(command) == 0 {
					command = []string{"/modelvigil-worker"} // the image's entry point
				}
				program := filepath.Join(programs, command[0])
				help, err := exec.Command(program, "-h").Output()
				require.NoError(t, err)
				environment := environmentOf(t, objects, container)
				for variable := range environment {
					if variable == "GOMEMLIMIT" {
						continue // of the Go runtime
					}
					require.Regexp(t, `(?m)^  `+regexp.QuoteMeta(variable)+`\b`, string(help), "%s: no setting is named %s", name, variable)
				}
				starts(t, program, command[1:], environment, filesOf(t, objects, deployment))
			}
		})
	}
}

// filesOf are the files of ConfigMaps that a pod has, by their paths.
func filesOf(t *testing.T, objects []*unstructured.Unstructured, deployment *appsv1.Deployment) map[string]string {
	t.Helper()
	maps := all[corev1.ConfigMap](t, objects, "ConfigMap")
	files := map[string]string{}
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		if volume.ConfigMap == nil {
			continue
		}
		source, ok := maps[volume.ConfigMap.Name]
		require.True(t, ok || *volume.ConfigMap.Optional, volume.Name)
		for _, mount := range deployment.Spec.Template.Spec.Containers[0].VolumeMounts {
			if ok && mount.Name == volume.Name {
				for name, content := range source.Data {
					files[mount.MountPath+"/"+name] = content
				}
			}
		}
	}
	return files
}

// environmentOf is what a container has in its environment, without the cluster's own.
func environmentOf(t *testing.T, objects []*unstructured.Unstructured, container corev1.Container) map[string]string {
	t.Helper()
	maps := all[corev1.ConfigMap](t, objects, "ConfigMap")
	environment := map[string]string{}
	for _, source := range container.EnvFrom {
		if source.ConfigMapRef != nil {
			require.Contains(t, maps, source.ConfigMapRef.Name)
			for name, value := range maps[source.ConfigMapRef.Name].Data {
				environment[name] = value
			}
		}
	}
	for _, variable := range container.Env {
		environment[variable.Name] = variable.Value
	}
	return environment
}

// starts runs a program until it says that it listens. Files are made where its
// mounts would be, and addresses are of this machine only.
func starts(t *testing.T, program string, arguments []string, environment, files map[string]string) {
	t.Helper()
	secrets := t.TempDir()
	for path, content := range files {
		content = strings.ReplaceAll(content, "/etc/modelvigil/secrets", secrets)
		require.NoError(t, os.WriteFile(filepath.Join(secrets, filepath.Base(path)), []byte(content), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "payments"), []byte(webhookSecret), 0o600))
	certificate, key := selfSigned(t)
	cmd := exec.Command(program, arguments...)
	cmd.Env = []string{"KUBECONFIG=" + filepath.Join(secrets, "kubeconfig")} // instead of the pod's service account
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "kubeconfig"), []byte(noCluster), 0o600))
	for name, value := range environment {
		switch {
		case strings.HasSuffix(name, "_FILE"):
			_, isThere := files[value]
			value = filepath.Join(secrets, filepath.Base(value))
			if isThere {
				break
			}
			content := "serving 0123456789abcdef0123456789abcdef\n"
			switch {
			case strings.HasSuffix(name, "_SECRET_FILE"):
				content = webhookSecret
			case strings.HasSuffix(name, "_TLS_CERT_FILE"):
				content = certificate
			case strings.HasSuffix(name, "_TLS_KEY_FILE"):
				content = key
			}
			require.NoError(t, os.WriteFile(value, []byte(content), 0o600))
		case strings.HasPrefix(value, "0.0.0.0:"):
			value = "127.0.0.1:0"
		case name == "TEMPORAL_ADDRESS":
			value = "127.0.0.1:1"
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	output := &said{waiting: "listens", seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	ended, cancel := context.WithCancel(t.Context())
	go func() {
		_ = cmd.Wait()
		cancel()
	}()
	select {
	case <-output.seen:
	case <-ended.Done():
		t.Errorf("%s has ended: %s", filepath.Base(program), output)
	case <-time.After(patience.Limit):
		t.Errorf("%s doesn't listen: %s", filepath.Base(program), output)
	}
	_ = cmd.Process.Kill()
	<-ended.Done()
}

// selfSigned is a certificate and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

const webhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n"

const noCluster = `{"apiVersion": "v1", "kind": "Config", "current-context": "test",
  "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:1"}}],
  "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "any"}}],
  "users": [{"name": "test", "user": {"token": "any"}}]}`

// said is what a program prints; seen is closed at the word that is waited for.
type said struct {
	waiting string
	seen    chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes what the program prints.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.waiting)
	n, err := s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.waiting) {
		close(s.seen)
	}
	return n, err
}

// String is all so far.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
