package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// maxWordsBytes is how much of one container's words a message has room for,
// besides what the cluster says.
const maxWordsBytes = cluster.MaxMessageBytes / 2

// lastWord is what the last pod that has succeeded has written into its termination
// message: whatever the configured container says, or else a result in JSON, of
// whichever container, or else the first text.
func (b *Backend) lastWord(pods []corev1.Pod) string {
	var text string
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodSucceeded {
			continue
		}

		for _, container := range b.statuses(pod) {
			if container.State.Terminated == nil {
				continue
			}
			said := strings.TrimSpace(container.State.Terminated.Message)
			if strings.HasPrefix(said, "{") || said != "" && container.Name == b.config.Container {
				return said
			}
			text = cmp.Or(text, said)
		}
	}

	return text
}

// lastFailure is why the last pod that has failed did; empty where there is none.
func (b *Backend) lastFailure(pods []corev1.Pod) string {
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodFailed {
			return "pod " + pod.Name + ": " + b.failureOf(pod)
		}
	}
	for _, pod := range pods { // killed with the Job, at its deadline say
		if words := b.failureOf(pod); words != withoutWord {
			return "pod " + pod.Name + ": " + words
		}
	}

	return ""
}

const withoutWord = "it failed without a word"

// failureOf is why a pod has failed: the cluster's reason, such as Evicted, and that
// of each container that has ended badly, with its last words.
func (b *Backend) failureOf(pod corev1.Pod) string {
	words := present(strings.Join(present(pod.Status.Reason, pod.Status.Message), ": "))
	for _, container := range b.statuses(pod) {
		if end := container.State.Terminated; end != nil && end.ExitCode != 0 {
			words = append(words, ending(container.Name, end))
		} else if wait := container.State.Waiting; wait != nil && isTrouble(wait.Reason) {
			words = append(words, waiting(container.Name, wait))
		}
	}
	if len(words) == 0 {
		return withoutWord
	}

	return strings.Join(words, "; ")
}

func ending(container string, end *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("container %s ended with exit code %d", container, end.ExitCode)
	if end.Reason != "" && end.Reason != "Error" {
		text += " (" + end.Reason + ")"
	}
	said := cluster.Result(end.Message).Message // a trainer may speak JSON when it fails, too
	if said == "" {
		return text
	}
	return text + ": " + plain.Excerpt(said, maxWordsBytes)
}

func waiting(container string, wait *corev1.ContainerStateWaiting) string {
	return fmt.Sprintf("container %s waits: %s", container, plain.Excerpt(strings.Join(present(wait.Reason, wait.Message), ": "), maxWordsBytes))
}

// isTrouble says whether a container waits for more than its turn.
func isTrouble(reason string) bool {
	return reason != "" && reason != "ContainerCreating" && reason != "PodInitializing"
}

// progress is what a Job that hasn't ended is waiting for.
func (b *Backend) progress(job *batchv1.Job, pods []corev1.Pod) string {
	var words []string
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodPending && pod.Status.Phase != corev1.PodRunning {
			continue
		}

		for _, container := range b.statuses(pod) {
			if wait := container.State.Waiting; wait != nil && wait.Reason != "" {
				words = append(words, "pod "+pod.Name+": "+waiting(container.Name, wait))
			}
		}

		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				words = append(words, "pod "+pod.Name+" has no node: "+strings.Join(present(c.Reason, c.Message), ": "))
			}
		}

		if held := b.heldUp(pod); held != "" {
			words = append(words, "pod "+pod.Name+": "+held)
		}
		if len(words) == 0 {
			words = append(words, "pod "+pod.Name+" is "+strings.ToLower(string(pod.Status.Phase)))
		}
		break // the last to begin speaks for all
	}

	if len(pods) == 0 {
		words = append(words, "it has no pod yet; its events say why, should it stay so")
	}
	if failed := b.lastFailure(pods); failed != "" && job.Status.Failed > 0 {
		words = append(words, fmt.Sprintf("%d pods have failed so far, the last: %s", job.Status.Failed, failed))
	}
	if len(words) == 0 {
		words = append(words, "its pods have ended, and it is about to")
	}
	return plain.Excerpt(strings.Join(words, "; "), cluster.MaxMessageBytes)
}

// heldUp says of a pod whose training has ended which containers keep it, and so its
// Job, from ending; empty where there are none, or the training still runs. Without a
// configured container any that has ended may be the training.
func (b *Backend) heldUp(pod corev1.Pod) string {
	var ended string
	var running []string
	for _, container := range b.statuses(pod)[:len(pod.Status.ContainerStatuses)] {
		end := container.State.Terminated
		switch {
		case end == nil && container.Name == b.config.Container:
			return ""
		case end == nil:
			running = append(running, container.Name)
		case ended == "":
			ended = fmt.Sprintf("container %s has ended with exit code %d", container.Name, end.ExitCode)
		}
	}
	if ended == "" || len(running) == 0 {
		return ""
	}

	return fmt.Sprintf("%s, and the Job can't end while %s runs; end it with the training, or make it an init container with restartPolicy Always",
		ended, strings.Join(running, ", "))
}

// statuses are those of a pod's containers: the configured one's, then the main ones'
// as the pod lists them, then the others'. The cluster sorts them by name.
func (b *Backend) statuses(pod corev1.Pod) []corev1.ContainerStatus {
	place := func(name string) int {
		if name == b.config.Container {
			return -1
		}
		return slices.IndexFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	}

	mains := slices.Clone(pod.Status.ContainerStatuses)
	slices.SortStableFunc(mains, func(a, b corev1.ContainerStatus) int { return cmp.Compare(place(a.Name), place(b.Name)) })
	return append(mains, pod.Status.InitContainerStatuses...)
}

// present are the texts that aren't empty.
func present(texts ...string) []string {
	var there []string
	for _, text := range texts {
		if text != "" {
			there = append(there, text)
		}
	}
	return there
}
