package kubernetes

import (
	"cmp"
	"fmt"
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
// message: a result in JSON, of whichever container, or else the first text.
func lastWord(pods []corev1.Pod) string {
	var text string
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodSucceeded {
			continue
		}

		for _, container := range statuses(pod) {
			if container.State.Terminated == nil {
				continue
			}
			said := strings.TrimSpace(container.State.Terminated.Message)
			if strings.HasPrefix(said, "{") {
				return said
			}
			text = cmp.Or(text, said)
		}
	}

	return text
}

// lastFailure is why the last pod that has failed did; empty where there is none.
func lastFailure(pods []corev1.Pod) string {
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodFailed {
			return "pod " + pod.Name + ": " + failureOf(pod)
		}
	}
	for _, pod := range pods { // killed with the Job, at its deadline say
		if words := failureOf(pod); words != withoutWord {
			return "pod " + pod.Name + ": " + words
		}
	}
	return ""
}

const withoutWord = "it failed without a word"

// failureOf is why a pod has failed: the cluster's reason, such as Evicted, and that
// of each container that has ended badly, with its last words.
func failureOf(pod corev1.Pod) string {
	words := present(strings.Join(present(pod.Status.Reason, pod.Status.Message), ": "))
	for _, container := range statuses(pod) {
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
func progress(job *batchv1.Job, pods []corev1.Pod) string {
	var words []string
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodPending && pod.Status.Phase != corev1.PodRunning {
			continue
		}

		for _, container := range statuses(pod) {
			if wait := container.State.Waiting; wait != nil && wait.Reason != "" {
				words = append(words, "pod "+pod.Name+": "+waiting(container.Name, wait))
			}
		}

		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				words = append(words, "pod "+pod.Name+" has no node: "+strings.Join(present(c.Reason, c.Message), ": "))
			}
		}

		if len(words) == 0 {
			words = append(words, "pod "+pod.Name+" is "+strings.ToLower(string(pod.Status.Phase)))
		}
		break // the last to begin speaks for all
	}

	if len(pods) == 0 {
		words = append(words, "it has no pod yet; its events say why, should it stay so")
	}
	if failed := lastFailure(pods); failed != "" && job.Status.Failed > 0 {
		words = append(words, fmt.Sprintf("%d pods have failed so far, the last: %s", job.Status.Failed, failed))
	}
	if len(words) == 0 {
		words = append(words, "its pods have ended, and it is about to")
	}
	return plain.Excerpt(strings.Join(words, "; "), cluster.MaxMessageBytes)
}

// statuses are those of a pod's containers: first the main ones.
func statuses(pod corev1.Pod) []corev1.ContainerStatus {
	all := append([]corev1.ContainerStatus(nil), pod.Status.ContainerStatuses...)
	return append(all, pod.Status.InitContainerStatuses...)
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
