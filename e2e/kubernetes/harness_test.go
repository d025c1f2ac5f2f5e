// Package kubernetes tests the built binaries against a real Temporal server and a
// real Kubernetes control plane.
package kubernetes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/e2e/kubernetes/controlplane"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// What the tests run, set by TestMain; plane is nil without its programs.
var (
	temporalPath, workerPath, starterPath string
	server                                *testsuite.DevServer
	plane                                 *controlplane.ControlPlane
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	programs := os.Getenv(controlplane.Variable)
	if programs == "" {
		return m.Run(), nil
	}
	if temporalPath = os.Getenv("MODELVIGIL_TEMPORAL"); temporalPath == "" {
		var err error
		if temporalPath, err = exec.LookPath("temporal"); err != nil {
			return 0, fmt.Errorf("no temporal CLI: set MODELVIGIL_TEMPORAL to its path, or run `make e2e-kubernetes`, which builds it: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "modelvigil-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	workerPath, starterPath = filepath.Join(dir, "worker"), filepath.Join(dir, "starter")
	if out, err := exec.Command("go", "build", "-o", dir, "../../worker", "../../starter").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the binaries: %w\n%s", err, out)
	}
	if plane, err = controlplane.Start(programs); err != nil {
		return 0, err
	}
	defer plane.Stop()
	server, err = testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ExistingPath: temporalPath, DBFilename: filepath.Join(dir, "temporal.db"), LogLevel: "error",
		ClientOptions: &client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))}, Stdout: io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return 0, fmt.Errorf("start the dev server: %w", err)
	}
	defer func() { _ = server.Stop() }()
	return m.Run(), nil
}

// place is a namespace with a CronJob "training", and what a worker is told of it:
// a kubeconfig of the service account of deploy/kubernetes/rbac.yaml.
type place struct {
	namespace   string
	environment []string
}

func newPlace(t *testing.T, namespace string) place {
	t.Helper()
	if plane == nil {
		t.Skipf("%s names no directory with kube-apiserver and kube-controller-manager; `make e2e-kubernetes` sets it", controlplane.Variable)
	}
	require.NoError(t, plane.NewNamespace(t.Context(), namespace))
	rights, err := controlplane.ReadRights("../../"+cluster.RBAC, namespace)
	require.NoError(t, err)
	worker, err := plane.Grant(t.Context(), rights)
	require.NoError(t, err)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, plane.Kubeconfig(kubeconfig, worker, "default"))
	suspended, once := true, int32(0)
	_, err = plane.Batch().CronJobs(namespace).Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "training"},
		Spec: batchv1.CronJobSpec{Schedule: "0 0 31 2 *", Suspend: &suspended, JobTemplate: batchv1.JobTemplateSpec{
			Spec: batchv1.JobSpec{BackoffLimit: &once, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "train", Image: "example.com/train:1"}},
			}}},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return place{namespace, []string{
		"MODELOPS_BACKEND=kubernetes", "MODELOPS_POLL_INTERVAL=200ms",
		"MODELOPS_KUBERNETES_KUBECONFIG=" + kubeconfig, "MODELOPS_KUBERNETES_CONTEXT=test",
		"MODELOPS_KUBERNETES_NAMESPACE=" + namespace, "MODELOPS_KUBERNETES_CRONJOB=training",
	}}
}

// jobs are all Jobs of the place, by the request ids that they carry.
func (p place) jobs(t *testing.T) map[string][]batchv1.Job {
	t.Helper()
	all, err := plane.Batch().Jobs(p.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	jobs := map[string][]batchv1.Job{}
	for _, job := range all.Items {
		id := job.Annotations[cluster.AnnotationRequestID]
		jobs[id] = append(jobs[id], job)
	}
	return jobs
}

// process is a binary under test.
type process struct {
	cmd    *exec.Cmd
	output *lockedBuffer
	done   chan struct{}
}

// startWorker runs the built worker on a task queue and waits until it is ready.
func startWorker(t *testing.T, taskQueue string, env ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := listener.Addr().String()
	require.NoError(t, listener.Close())
	p := &process{exec.Command(workerPath), &lockedBuffer{}, make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), environment(taskQueue)...), append(env, "LISTEN_ADDRESS="+listen)...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of the worker:\n%s", p.output.String())
		}
	})
	patience.Until(t, "the worker is ready", func() bool {
		select {
		case <-p.done:
			t.Fatal("the worker has ended")
		default:
		}
		response, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// starter runs the built starter to its end and expects success.
func starter(t *testing.T, taskQueue, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), starterPath, append(args, "--timeout", patience.Limit.String())...)
	cmd.Env, cmd.Stdin = append(os.Environ(), environment(taskQueue)...), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "starter %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

func environment(taskQueue string) []string {
	return []string{"TEMPORAL_ADDRESS=" + server.FrontendHostPort(), "TASK_QUEUE=" + taskQueue}
}

// until waits until a model's status is as wanted.
func until(t *testing.T, model, what string, wanted func(monitor.Status) bool) (s monitor.Status) {
	t.Helper()
	patience.Until(t, model+": "+what, func() bool {
		s = monitor.Status{}
		answer, err := server.Client().QueryWorkflow(t.Context(), contract.WorkflowID(model), "", contract.QueryStatus)
		return err == nil && answer.Get(&s) == nil && wanted(s)
	})
	return s
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
