// Package object is the backend named "kubernetes-object": it creates an object of
// any kind that retrains a model, such as a Workflow of Argo's or a PyTorchJob of
// Kubeflow's, for each retraining request, follows it, and tells the monitor what
// became of it. Kubernetes' own Jobs are package kubernetes'.
//
// # The object
//
// It is made from a template in the configuration, whose kind the API server must
// know, in a namespace. Its name is derived from the request id, which makes it once
// for all until it is deleted. An object of that name counts as the retraining only
// if its annotation modelvigil.ai/request-id is the request's.
//
// The decision is where the template has its parts: in any text of it, other than
// its apiVersion, kind and name, ${MODELVIGIL_REASON} is replaced by the reason. So
// are MODELVIGIL_REQUEST_ID, _MODEL_NAME, _MODEL_VERSION, _REASON, _RULE, _METRIC,
// _VALUE, _THRESHOLD, _TRIGGERED_AT, _PARAMS (a JSON object) and _REQUEST (the whole
// as JSON), and MODELVIGIL_PARAM_<NAME>, which is empty where the policy has no such
// param. What is replaced is text: let it be an argument or a variable's value, for
// in a script the words of a decision would be code. Besides, annotations have the
// request id, model, version, reason, and, as modelvigil.ai/request, the whole.
//
// # The outcome
//
// Conditions on the object say when it has succeeded and when it has failed, each a
// JSONPath as kubectl takes it and the value wanted:
//
//	{.status.phase}=Succeeded
//	{.status.conditions[?(@.type=="Failed")].status}=True
//
// Further paths find the message and the new model version.
//
// Cancelling deletes the object and what it owns.
package object

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
)

// Config says which object retrains models, where, and how its end is known.
type Config struct {
	Cluster cluster.Config

	Template string // the object, in YAML or JSON
	// Success and Failure are conditions `{JSONPath}=value`, or `{JSONPath}` for
	// anything but an empty value; one that holds is enough. Failure counts first.
	Success, Failure []string
	// Message and ModelVersion are JSONPaths to a text, or to a result in JSON in the
	// case of Message: {"model_version", "message"}. Left empty, there is no message,
	// and the version is the annotation modelvigil.ai/new-model-version.
	Message, ModelVersion string
}

// Backend creates objects. It is safe for concurrent use.
type Backend struct {
	template              template
	success, failure      []condition
	message, modelVersion *path

	cluster  *cluster.Cluster
	client   dynamic.Interface
	resource atomic.Pointer[string] // the kind's, once it is known
}

var (
	_ modelops.ModelOps  = (*Backend)(nil)
	_ modelops.Follower  = (*Backend)(nil)
	_ modelops.Canceller = (*Backend)(nil)
	_ modelops.Checker   = (*Backend)(nil)
)

// defaultVersion is where the version is without Config.ModelVersion.
const defaultVersion = `{.metadata.annotations.modelvigil\.ai/new-model-version}`

// New returns a backend, or an error that joins every fault of the configuration.
// It connects with the first call, so an API server that is away is no error here.
func New(config Config) (*Backend, error) {
	b := &Backend{}
	var faults [6][]error
	b.template, faults[0] = parseTemplate(config.Template)
	b.success, faults[1] = parseConditions("success", config.Success)
	b.failure, faults[2] = parseConditions("failure", config.Failure)
	b.message, faults[3] = parsePath("message", config.Message, "")
	b.modelVersion, faults[4] = parsePath("model_version", config.ModelVersion, defaultVersion)
	connection, err := cluster.Connect(config.Cluster)
	faults[5] = cluster.Faults(err)
	var all []error
	for _, of := range faults {
		all = append(all, of...)
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}

	b.cluster = connection
	b.client, err = dynamic.NewForConfigAndClient(connection.REST, connection.HTTP)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: can't be used for a connection: %w", err)
	}

	return b, nil
}

// Close ends the connections that are idle.
func (b *Backend) Close() { b.cluster.Close() }

// ScheduleRetraining creates the object; its id is <namespace>/<name>. It is final
// that the API server doesn't know the kind, doesn't allow it or doesn't take the
// object, that the namespace is missing, and that the name belongs to an object that
// is not this retraining.
func (b *Backend) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	name := cluster.Name(request)
	if err := b.create(ctx, name, request); err != nil {
		return modelops.Job{}, b.failed("create", name, err)
	}
	return modelops.Job{ID: b.cluster.Namespace + "/" + name, Followed: true}, nil
}

func (b *Backend) create(ctx context.Context, name string, request modelops.Request) error {
	object, err := b.template.fill(name, b.cluster.Namespace, request)
	if err != nil {
		return modelops.Final(err)
	}
	objects, err := b.objects(ctx)
	if err != nil {
		return err
	}

	err = b.cluster.Do(ctx, func(ctx context.Context) error {
		_, err := objects.Create(ctx, object, metav1.CreateOptions{FieldManager: cluster.FieldManager})
		return err
	})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}

	existing, err := b.get(ctx, objects, name)
	if err != nil {
		return err
	}

	return ours(existing, request)
}

// ours is an error unless an object was created for a request.
func ours(object *unstructured.Unstructured, request modelops.Request) error {
	if cluster.IsOurs(object.GetAnnotations(), request) {
		return nil
	}
	return modelops.Final(fmt.Errorf("the name is taken by an object that is not this retraining: its annotation %s is %q; delete it or rename it",
		cluster.AnnotationRequestID, object.GetAnnotations()[cluster.AnnotationRequestID]))
}

// RetrainingOutcome asks once whether the object has ended, and how. It is final
// that there is no such object: it was deleted by hand.
func (b *Backend) RetrainingOutcome(ctx context.Context, request modelops.Request, _ modelops.Job) (modelops.Outcome, error) {
	name := cluster.Name(request)
	outcome, err := b.outcome(ctx, name, request)
	if err != nil {
		return modelops.Outcome{}, b.failed("ask after", name, err)
	}
	return outcome, nil
}

func (b *Backend) outcome(ctx context.Context, name string, request modelops.Request) (modelops.Outcome, error) {
	objects, err := b.objects(ctx)
	if err != nil {
		return modelops.Outcome{}, err
	}

	object, err := b.get(ctx, objects, name)
	switch {
	case apierrors.IsNotFound(err):
		return modelops.Outcome{}, fmt.Errorf("%w (has it been deleted, or is the backend configured for another namespace now?)", err)
	case err != nil:
		return modelops.Outcome{}, err
	}

	if err := ours(object, request); err != nil {
		return modelops.Outcome{}, err
	}

	message, version := b.message.text(object), b.modelVersion.text(object)
	switch {
	case hold(b.failure, object):
		return modelops.Outcome{State: modelops.Failed, Message: cluster.Result(message).Message}, nil
	case hold(b.success, object):
		outcome := cluster.Result(message)
		if version != "" {
			outcome = cluster.WithVersion(outcome, version)
		}
		return outcome, nil
	case object.GetDeletionTimestamp() != nil:
		return modelops.Outcome{}, fmt.Errorf("%w: it is being deleted", modelops.ErrRunning)
	case message != "":
		return modelops.Outcome{}, fmt.Errorf("%w: %s", modelops.ErrRunning, plain.Excerpt(message, cluster.MaxMessageBytes))
	}

	return modelops.Outcome{}, modelops.ErrRunning
}

// CancelRetraining deletes the object, what it owns first. The job may be empty, for
// the object is found by the request id. No such object, one that has ended, and one
// that is not this retraining are no error, and are left as they are.
func (b *Backend) CancelRetraining(ctx context.Context, request modelops.Request, _ modelops.Job) error {
	name := cluster.Name(request)
	if err := b.cancel(ctx, name, request); err != nil {
		return b.failed("delete", name, err)
	}
	return nil
}

func (b *Backend) cancel(ctx context.Context, name string, request modelops.Request) error {
	objects, err := b.objects(ctx)
	if err != nil {
		return err
	}

	object, err := b.get(ctx, objects, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case !cluster.IsOurs(object.GetAnnotations(), request) || hold(b.success, object) || hold(b.failure, object):
		return nil
	}

	err = b.cluster.Do(ctx, func(ctx context.Context) error {
		return objects.Delete(ctx, name, cluster.Deletion(object.GetUID()))
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone since
		return nil
	}

	return err
}

func (b *Backend) get(ctx context.Context, objects dynamic.ResourceInterface, name string) (object *unstructured.Unstructured, err error) {
	err = b.cluster.Do(ctx, func(ctx context.Context) error {
		object, err = objects.Get(ctx, name, metav1.GetOptions{})
		return err
	})
	return object, err
}

// objects are the namespace's objects of the template's kind. The first call asks
// the API server what it calls them.
func (b *Backend) objects(ctx context.Context) (dynamic.ResourceInterface, error) {
	kind := b.template.kind
	if resource := b.resource.Load(); resource != nil {
		return b.client.Resource(kind.GroupVersion().WithResource(*resource)).Namespace(b.cluster.Namespace), nil
	}
	known, err := b.cluster.Resources(ctx, kind.GroupVersion())
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}

	if err == nil {
		for _, resource := range known {
			if resource.Kind != kind.Kind || isSubresource(resource.Name) {
				continue
			}
			if !resource.Namespaced {
				return nil, modelops.Final(errors.New("objects of this kind are in no namespace; the template must be of a kind that is"))
			}
			b.resource.Store(&resource.Name)
			return b.objects(ctx)
		}
	}

	return nil, modelops.Final(fmt.Errorf("the API server knows no kind %s of %s; install its custom resource definition, or correct the template", kind.Kind, kind.GroupVersion()))
}

func (b *Backend) failed(what, name string, err error) error {
	return fmt.Errorf("%s %s %s in %s: %w", what, b.template.kind.Kind, name, b.cluster.Where, err)
}
