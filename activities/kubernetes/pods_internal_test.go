package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podOf is a pod of a container "train" and a sidecar "log", which the cluster lists by
// name; one without an end runs.
func podOf(phase corev1.PodPhase, train, log *corev1.ContainerStateTerminated) []corev1.Pod {
	status := func(name string, end *corev1.ContainerStateTerminated) corev1.ContainerStatus {
		if end == nil {
			return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		}
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: end}}
	}
	return []corev1.Pod{{
		ObjectMeta: metav1.ObjectMeta{Name: "p-1"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "train"}, {Name: "log"}}},
		Status: corev1.PodStatus{
			Phase: phase, ContainerStatuses: []corev1.ContainerStatus{status("log", log), status("train", train)},
		},
	}}
}

func saying(text string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{Message: text}
}

func TestTheConfiguredContainersWordsComeBeforeASidecars(t *testing.T) {
	tests := map[string]struct{ container, train, log, want string }{
		"a text before a sidecar's result":                 {"train", "AUC 0.93", `{"message": "flushed"}`, "AUC 0.93"},
		"a result before a sidecar's result":               {"train", `{"model_version": 8}`, `{"model_version": 2}`, `{"model_version": 8}`},
		"one that says nothing leaves it to others":        {"train", "", "flushed", "flushed"},
		"configured, the second counts":                    {"log", "AUC 0.93", "flushed", "flushed"},
		"without one, the pod's first container is heard":  {"", "AUC 0.93", "flushed", "AUC 0.93"},
		"without one, a result is heard whoever gives it":  {"", "AUC 0.93", `{"model_version": 8}`, `{"model_version": 8}`},
		"without one, the first result of two is the word": {"", `{"model_version": 8}`, `{"model_version": 2}`, `{"model_version": 8}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := &Backend{config: Config{Container: test.container}}
			assert.Equal(t, test.want, b.lastWord(podOf(corev1.PodSucceeded, saying(test.train), saying(test.log))))
		})
	}
}

func TestAFailureBeginsWithTheConfiguredContainer(t *testing.T) {
	b := &Backend{config: Config{Container: "train"}}
	pods := podOf(corev1.PodFailed,
		&corev1.ContainerStateTerminated{ExitCode: 1, Message: "out of memory"}, &corev1.ContainerStateTerminated{ExitCode: 143})
	assert.Equal(t, "pod p-1: container train ended with exit code 1: out of memory; container log ended with exit code 143", b.lastFailure(pods))
}

func TestASidecarThatHoldsTheJobIsNamed(t *testing.T) {
	const held = "pod p-1: container train has ended with exit code 0, and the Job can't end while log runs; " +
		"end it with the training, or make it an init container with restartPolicy Always"
	tests := map[string]struct {
		container  string
		train, log *corev1.ContainerStateTerminated
		want       string
	}{
		"the training has ended":                   {"train", saying(""), nil, held},
		"any has ended, and none is configured":    {"", saying(""), nil, held},
		"the training runs, its sidecar has ended": {"train", nil, saying(""), "pod p-1 is running"},
		"both run": {"train", nil, nil, "pod p-1 is running"},
		"both have ended, and the pod is about to end": {"train", saying(""), saying(""), "pod p-1 is running"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := &Backend{config: Config{Container: test.container}}
			assert.Equal(t, test.want, b.progress(&batchv1.Job{}, podOf(corev1.PodRunning, test.train, test.log)))
		})
	}
}
