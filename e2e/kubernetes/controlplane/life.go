package controlplane

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// lifeTimeout is for what controllers do within a second or two.
const lifeTimeout = patience.Limit

// Core is a client of one who may do everything.
func (c *ControlPlane) Core() coreclient.CoreV1Interface { return c.core }

// Batch is a client of one who may do everything.
func (c *ControlPlane) Batch() batchclient.BatchV1Interface {
	return c.batch
}

// NewNamespace makes a namespace, and waits until pods can be created there.
func (c *ControlPlane) NewNamespace(ctx context.Context, name string) error {
	core := c.Core()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return until(ctx, "namespace "+name+" has its service account", func(ctx context.Context) (bool, error) {
		_, err := core.ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, ignored(err, apierrors.IsNotFound)
	})
}

// Token is a token of a service account, for an hour.
func (c *ControlPlane) Token(ctx context.Context, namespace, account string) (string, error) {
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}
	token, err := c.Core().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return token.Status.Token, nil
}

// Pod is a pod of a Job that has neither succeeded nor failed, once there is one.
func (c *ControlPlane) Pod(ctx context.Context, namespace, job string) (pod *corev1.Pod, err error) {
	err = until(ctx, "Job "+job+" has a pod", func(ctx context.Context) (bool, error) {
		pods, err := c.Core().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
		if err != nil {
			return false, err
		}

		for i := range pods.Items {
			if phase := pods.Items[i].Status.Phase; phase == corev1.PodPending || phase == corev1.PodRunning {
				pod = &pods.Items[i]
				return true, nil
			}
		}

		return false, nil
	})
	return pod, err
}

// Update writes the status of a Job's pod, as a kubelet would.
func (c *ControlPlane) Update(ctx context.Context, namespace, job string, change func(*corev1.Pod)) error {
	return until(ctx, "the pod's status is written", func(ctx context.Context) (bool, error) {
		pod, err := c.Pod(ctx, namespace, job)
		if err != nil {
			return false, err
		}
		change(pod)
		_, err = c.Core().Pods(namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err == nil, ignored(err, apierrors.IsConflict)
	})
}

// Run lets a Job's pod run, each container as ready.
func (c *ControlPlane) Run(ctx context.Context, namespace, job string) error {
	return c.Update(ctx, namespace, job, func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		pod.Status.ContainerStatuses = each(pod, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	})
}

// End ends a Job's pod and waits until the Job has ended too. The end is the first
// container's, exit code, reason and message; a code other than zero is a failure.
func (c *ControlPlane) End(ctx context.Context, namespace, job string, end corev1.ContainerStateTerminated) error {
	err := c.Update(ctx, namespace, job, func(pod *corev1.Pod) { Ended(pod, end) })
	if err != nil {
		return err
	}
	return until(ctx, "Job "+job+" has ended", func(ctx context.Context) (bool, error) {
		job, err := c.Batch().Jobs(namespace).Get(ctx, job, metav1.GetOptions{})
		if err != nil {
			return false, err
		}

		for _, condition := range job.Status.Conditions {
			if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
				return true, nil
			}
		}

		return false, nil
	})
}

// Ended writes a pod's end into its status.
func Ended(pod *corev1.Pod, end corev1.ContainerStateTerminated) {
	end.StartedAt = metav1.Now()
	end.FinishedAt = metav1.Now()
	pod.Status.Phase = corev1.PodSucceeded
	if end.ExitCode != 0 {
		pod.Status.Phase = corev1.PodFailed
	}
	pod.Status.ContainerStatuses = each(pod, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: "Completed", StartedAt: end.StartedAt, FinishedAt: end.FinishedAt,
	}})
	pod.Status.ContainerStatuses[0].State.Terminated = &end
}

func each(pod *corev1.Pod, state corev1.ContainerState) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, container := range pod.Spec.Containers {
		all = append(all, corev1.ContainerStatus{Name: container.Name, Image: container.Image, Ready: state.Running != nil, State: state})
	}
	return all
}

// until waits for a fact of the cluster.
func until(ctx context.Context, what string, fact wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, lifeTimeout, true, fact)
	if err != nil {
		return fmt.Errorf("until %s: %w", what, err)
	}
	return nil
}

func ignored(err error, is func(error) bool) error {
	if err == nil || is(err) {
		return nil
	}
	return err
}
