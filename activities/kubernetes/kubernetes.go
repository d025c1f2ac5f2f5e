// Package kubernetes is the backend named "kubernetes": it makes a Kubernetes Job
// for each retraining request, follows it, and tells the monitor what became of it.
// Other kinds of objects, such as Argo's Workflows, are package object's.
//
// # The Job
//
// What runs is the template of a CronJob of the user's, which may be suspended, or
// of a Job, which should be; or one in the configuration. Image, resources and
// secrets stay there. The Job's name is derived from the request id, which makes it
// once for all, whether it runs, has succeeded or has failed, until it is deleted.
// A Job of that name counts as the retraining only if its annotation
// modelvigil.ai/request-id is the request's.
//
// The decision is in environment variables of all containers, or of the one that is
// configured: MODELVIGIL_REQUEST_ID, _MODEL_NAME, _MODEL_VERSION, _REASON, _RULE,
// _METRIC, _VALUE, _THRESHOLD, _TRIGGERED_AT (RFC 3339); MODELVIGIL_PARAMS, the
// policy's params as a JSON object, and each of them as MODELVIGIL_PARAM_<NAME>;
// MODELVIGIL_REQUEST, the whole as JSON. MODELVIGIL_JOB_NAME and
// MODELVIGIL_JOB_NAMESPACE say which Job it is.
//
// # The outcome
//
// The Job's own conditions: it has succeeded when it is Complete or meets its
// success criteria, and failed when it is Failed; the message then has the last
// failed pod's words. The new model version is the Job's annotation
// modelvigil.ai/new-model-version, which the pod may set, or what the pod has
// written into its termination message: {"model_version", "message"}, or a text,
// which is the message.
//
// Cancelling deletes the Job and its pods.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/modelops"
)

const (
	// defaultTTL is how long a Job that has ended stays, where its template doesn't say.
	defaultTTL = 7 * 24 * time.Hour
	// MinTTL is how long it stays at least: its outcome must be read before it goes.
	MinTTL = 10 * time.Minute
)

// Config says which Job retrains models, and where. Just one of CronJob, Job and
// Template is given.
type Config struct {
	Cluster cluster.Config

	CronJob  string // the name of a CronJob, whose jobTemplate is used
	Job      string // the name of a Job that serves as template; its own suspension isn't copied
	Template string // a batch/v1 JobTemplateSpec in YAML or JSON: {metadata, spec}

	// Container is the one that gets the decision and whose words are the outcome's,
	// where it says any; empty means all of the pod.
	Container string
	// ModelVersionAnnotation is the Job's annotation that the trainer writes the new
	// model version into; empty means modelvigil.ai/new-model-version.
	ModelVersionAnnotation string
	// TTL is how long a Job that has ended stays, in whole seconds, MinTTL at least;
	// zero means what the template says, MinTTL at least, or a week.
	TTL time.Duration
}

// Backend creates Jobs. It is safe for concurrent use.
type Backend struct {
	config  Config
	inline  *batchv1.JobTemplateSpec // Config.Template
	cluster *cluster.Cluster
	batch   *cluster.API
	core    *cluster.API
}

var (
	_ modelops.ModelOps  = (*Backend)(nil)
	_ modelops.Follower  = (*Backend)(nil)
	_ modelops.Canceller = (*Backend)(nil)
	_ modelops.Checker   = (*Backend)(nil)
)

// New returns a backend, or an error that joins every fault of the configuration.
// It connects with the first call, so an API server that is away is no error here.
func New(config Config) (*Backend, error) {
	faults := []error{checkTemplate(config)}
	b := &Backend{config: config}
	if config.Template != "" {
		var err error
		b.inline, err = parseTemplate(config.Template, config.Container)
		faults = append(faults, err)
	}
	if b.config.ModelVersionAnnotation == "" {
		b.config.ModelVersionAnnotation = cluster.AnnotationNewModelVersion
	}
	faults = append(faults, cluster.CheckAnnotation("model_version_annotation", b.config.ModelVersionAnnotation))
	if ttl := config.TTL; ttl != 0 && (ttl < MinTTL || ttl%time.Second != 0 || ttl/time.Second > math.MaxInt32) {
		faults = append(faults, fmt.Errorf("ttl: must be whole seconds, %v at least, got %v", MinTTL, ttl))
	}
	connection, err := cluster.Connect(config.Cluster)
	if faults := cluster.Faults(errors.Join(append(faults, err)...)); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	b.cluster = connection
	b.batch, err = connection.API(batchv1.SchemeGroupVersion)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: can't be used for a connection: %w", err)
	}
	b.core, err = connection.API(corev1.SchemeGroupVersion)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: can't be used for a connection: %w", err)
	}

	return b, nil
}

// Close ends the connections that are idle.
func (b *Backend) Close() { b.cluster.Close() }

// ScheduleRetraining creates the Job; its id is <namespace>/<name>. It is final
// that the API server doesn't allow it, that namespace or template are missing, that
// the Job isn't valid, and that its name belongs to a Job that is not this
// retraining. A quota that is used up is not: the Job is asked for again.
func (b *Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	name := cluster.Name(request)
	if err := b.create(ctx, name, request); err != nil {
		return modelops.Job{}, fmt.Errorf("create Job %s in %s: %w", name, b.cluster.Where, err)
	}
	return modelops.Job{ID: b.cluster.Namespace + "/" + name, Followed: true}, nil
}

func (b *Backend) create(ctx context.Context, name string, request modelops.Request) error {
	job, err := b.get(ctx, name) // first, for the template may have gone since it was created
	if err == nil {
		return ours(job, request)
	}
	if !apierrors.IsNotFound(err) {
		return err
	}

	template, err := b.template(ctx)
	if err != nil {
		return err
	}

	job, err = b.build(template, name, request)
	if err != nil {
		return modelops.Final(err)
	}

	err = b.batch.Create(ctx, "jobs", job, false)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}

	job, err = b.get(ctx, name)
	if err != nil {
		return err
	}

	return ours(job, request)
}

// ours is an error unless a Job was created for a request.
func ours(job *batchv1.Job, request modelops.Request) error {
	if cluster.IsOurs(job.Annotations, request) {
		return nil
	}
	return modelops.Final(fmt.Errorf("the name is taken by a Job that is not this retraining: its annotation %s is %q; delete it or rename it",
		cluster.AnnotationRequestID, job.Annotations[cluster.AnnotationRequestID]))
}

// get is a Job as it is now.
func (b *Backend) get(ctx context.Context, name string) (*batchv1.Job, error) {
	var job batchv1.Job
	err := b.batch.Get(ctx, "jobs", name, &job)
	return &job, err
}

// CancelRetraining deletes the Job, its pods first. The job may be empty, for the
// Job is found by the request id. No such Job, one that has ended, and one that is
// not this retraining are no error, and are left as they are.
func (b *Backend) CancelRetraining(ctx context.Context, request modelops.Request, _ modelops.Job) error {
	name := cluster.Name(request)
	if err := b.cancel(ctx, name, request); err != nil {
		return fmt.Errorf("delete Job %s in %s: %w", name, b.cluster.Where, err)
	}
	return nil
}

func (b *Backend) cancel(ctx context.Context, name string, request modelops.Request) error {
	job, err := b.get(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case !cluster.IsOurs(job.Annotations, request) || hasEnded(job):
		return nil
	}

	err = b.batch.Delete(ctx, "jobs", name, job.UID)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone since
		return nil
	}

	return err
}
