// Package manifests tests what a platform team applies.
package manifests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
)

const root = "../../.."

// builds are all that can be applied.
var builds = []string{"deploy/kubernetes", "deploy/overlays/own-cluster", "deploy/overlays/temporal-cloud"}

// cluster is the API server that the tests share; nil without its programs.
var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if programs := os.Getenv(controlplane.Variable); programs != "" {
			var err error
			if cluster, err = controlplane.Start(programs); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer cluster.Stop()
		}
		return m.Run()
	}())
}

// render is `kubectl kustomize`, of a directory in the repository.
func render(t *testing.T, directory string) []*unstructured.Unstructured {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, directory))
	require.NoError(t, err)
	var objects []*unstructured.Unstructured
	for _, resource := range rendered.Resources() {
		content, err := resource.Map()
		require.NoError(t, err)
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

// as is an object in its own type.
func as[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true))
	return typed
}

// all are the objects of a kind, by name.
func all[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) map[string]*T {
	t.Helper()
	found := map[string]*T{}
	for _, object := range objects {
		if object.GetKind() == kind {
			found[object.GetName()] = as[T](t, object)
		}
	}
	return found
}

// warnings are what the API server says beside its answers.
type warnings struct {
	mu   sync.Mutex
	said []string
}

// HandleWarningHeader takes one.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

// applier applies objects on the server's side.
type applier struct {
	warnings
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

func newApplier(t *testing.T) *applier {
	t.Helper()
	if cluster == nil {
		t.Skipf("%s names no directory with kube-apiserver; `make e2e-kubernetes` sets it", controlplane.Variable)
	}
	a := &applier{}
	config := rest.CopyConfig(cluster.Admin())
	config.WarningHandler = a
	var err error
	a.typed, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	a.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	client, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	a.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
	return a
}

// namespace makes a namespace where pods must meet the strictest standard, or drops a
// word about those that don't.
func (a *applier) namespace(t *testing.T, name string) {
	t.Helper()
	_, err := a.typed.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
		"pod-security.kubernetes.io/warn": "restricted", "pod-security.kubernetes.io/warn-version": "latest",
	}}}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// apply is `kubectl apply --server-side` of one object, with its fields checked.
func (a *applier) apply(ctx context.Context, object *unstructured.Unstructured, dryRun ...string) error {
	mapping, err := a.mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
	if err != nil {
		return err
	}
	body, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = a.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace()).Patch(ctx, object.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun})
	return err
}

// binaries builds the programs.
var binaries = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "modelvigil-manifests-")
	if err != nil {
		return "", err
	}
	build := exec.Command("make", "build", "BIN="+directory)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return directory, nil
})
