package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// checkTemplate says what is wrong with the choice of a template.
func checkTemplate(config Config) error {
	var faults []error
	given := 0
	for _, choice := range []struct{ field, value string }{{"cronjob", config.CronJob}, {"job", config.Job}, {"template", config.Template}} {
		if choice.value == "" {
			continue
		}

		if given++; given > 1 {
			faults = append(faults, fmt.Errorf("%s: there is another template; give just one of cronjob, job and template", choice.field))
		}
		if wrong := validation.IsDNS1123Subdomain(choice.value); choice.field != "template" && len(wrong) > 0 {
			faults = append(faults, fmt.Errorf("%s: %q is no object's name: %s", choice.field, choice.value, strings.Join(wrong, "; ")))
		}
	}

	if given == 0 {
		faults = append(faults, errors.New("cronjob: is missing; must be the name of a CronJob whose template retrains a model (or give job or template)"))
	}
	return errors.Join(faults...)
}

// parseTemplate reads a template of the configuration. Its error begins with its field.
func parseTemplate(text, container string) (*batchv1.JobTemplateSpec, error) {
	var template batchv1.JobTemplateSpec
	if err := yaml.UnmarshalStrict([]byte(text), &template); err != nil {
		return nil, fmt.Errorf("template: must be a batch/v1 JobTemplateSpec, {metadata, spec}: %s", plain.Excerpt(err.Error(), cluster.MaxMessageBytes))
	}
	if len(template.Spec.Template.Spec.Containers) == 0 {
		return nil, errors.New("template: spec.template.spec.containers: is missing; must be what retrains a model")
	}
	if len(containers(&template.Spec.Template.Spec, container)) == 0 {
		return nil, fmt.Errorf("container: there is no container %q in the template", container)
	}

	return &template, nil
}

// template is the template as it is now, for the caller to change.
func (b *Backend) template(ctx context.Context) (*batchv1.JobTemplateSpec, error) {
	if b.inline != nil {
		return b.inline.DeepCopy(), nil
	}

	kind, name := "CronJob", b.config.CronJob
	var template batchv1.JobTemplateSpec
	var err error
	if name != "" {
		var cronJob batchv1.CronJob
		err = b.batch.Get(ctx, "cronjobs", name, &cronJob)
		template = cronJob.Spec.JobTemplate
	} else {
		kind = "Job"
		name = b.config.Job
		var job batchv1.Job
		err = b.batch.Get(ctx, "jobs", name, &job)
		template = batchv1.JobTemplateSpec{ObjectMeta: job.ObjectMeta, Spec: job.Spec}
		template.Spec.Suspend = nil // it was for the template's own sake
	}

	switch {
	case apierrors.IsNotFound(err):
		return nil, b.missing(ctx, kind, name, err)
	case err != nil:
		return nil, fmt.Errorf("read its template, %s %s: %w", kind, name, err)
	}

	return &template, nil
}

// missing says that a template isn't there, or its whole namespace, where that can be known.
func (b *Backend) missing(ctx context.Context, kind, name string, err error) error {
	if noNamespace := b.cluster.NamespaceMissing(ctx); noNamespace != nil {
		return noNamespace
	}
	return modelops.Final(fmt.Errorf("its template, %s %s, isn't there: %w; create it, or correct its name in the backend's settings", kind, name, err))
}

// build is the Job of a request.
func (b *Backend) build(template *batchv1.JobTemplateSpec, name string, request modelops.Request) (*batchv1.Job, error) {
	pod := &template.Spec.Template
	targets := containers(&pod.Spec, b.config.Container)
	if len(targets) == 0 {
		return nil, fmt.Errorf("there is no container %q in the template; correct it in the backend's settings", b.config.Container)
	}
	decision, err := cluster.Variables(request)
	if err != nil {
		return nil, err
	}

	decision = append(decision, cluster.Variable{Name: "MODELVIGIL_JOB_NAME", Value: name}, cluster.Variable{Name: "MODELVIGIL_JOB_NAMESPACE", Value: b.cluster.Namespace})
	for _, container := range targets {
		container.Env = withDecision(container.Env, decision)
	}

	labels, annotations := cluster.Labels(request), cluster.Annotations(request)
	job := &batchv1.Job{
		// No owner: a CronJob deletes what it owns by limits of its own, before we have read the outcome.
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: b.cluster.Namespace,
			Labels: merged(template.Labels, labels), Annotations: merged(template.Annotations, annotations),
		},
		Spec: template.Spec,
	}
	delete(job.Annotations, b.config.ModelVersionAnnotation) // the trainer's to write
	delete(job.Annotations, lastApplied)
	pod.Labels, pod.Annotations = merged(pod.Labels, labels), merged(pod.Annotations, annotations)
	job.Spec.Template = *pod
	for _, of := range []map[string]string{job.Labels, job.Spec.Template.Labels} { // of the Job that was the template
		for _, generated := range generatedLabels {
			delete(of, generated)
		}
	}

	job.Spec.Selector = nil
	job.Spec.ManualSelector = nil
	job.Spec.TTLSecondsAfterFinished = b.ttl(job.Spec.TTLSecondsAfterFinished)
	return job, nil
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

var generatedLabels = []string{batchv1.ControllerUidLabel, batchv1.JobNameLabel, "controller-uid", "job-name"}

func (b *Backend) ttl(templates *int32) *int32 {
	ttl := int32(defaultTTL / time.Second)
	switch {
	case b.config.TTL > 0:
		ttl = int32(b.config.TTL / time.Second) //nolint:gosec // New has checked that it fits
	case templates != nil:
		ttl = max(*templates, int32(MinTTL/time.Second))
	}
	return &ttl
}

// containers are those of a name, or all.
func containers(pod *corev1.PodSpec, name string) []*corev1.Container {
	var found []*corev1.Container
	for _, of := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
		for i := range of {
			if name == "" || of[i].Name == name {
				found = append(found, &of[i])
			}
		}
	}
	return found
}

// withDecision is a container's environment with the decision, which comes first,
// so that the container's own variables can refer to it.
func withDecision(env []corev1.EnvVar, decision []cluster.Variable) []corev1.EnvVar {
	all := make([]corev1.EnvVar, 0, len(decision)+len(env))
	taken := map[string]bool{}
	for _, variable := range decision {
		taken[variable.Name] = true
		// $(NAME) would be replaced by another variable's value, which may be a secret.
		all = append(all, corev1.EnvVar{Name: variable.Name, Value: strings.ReplaceAll(variable.Value, "$", "$$")})
	}
	return append(all, slices.DeleteFunc(slices.Clone(env), func(v corev1.EnvVar) bool { return taken[v.Name] })...)
}

func merged(theirs, ours map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, theirs)
	maps.Copy(all, ours)
	return all
}
