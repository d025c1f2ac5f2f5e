package cluster

import (
	"context"
	"strconv"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
)

// codecs know the objects that the backends read and write. The typed clients of
// client-go know all there are, which makes a worker 23 MB larger.
var codecs = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{authorizationv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	return serializer.NewCodecFactory(scheme)
}()

// API is one group and version of the API, in the cluster's namespace. Its errors
// are those of Cluster.Do.
type API struct {
	cluster *Cluster
	client  *rest.RESTClient
}

// API returns a group and version of the API.
func (c *Cluster) API(version schema.GroupVersion) (*API, error) {
	config := rest.CopyConfig(c.REST)
	config.GroupVersion = &version
	config.APIPath = "/apis"
	config.NegotiatedSerializer = codecs.WithoutConversion()
	if version.Group == "" {
		config.APIPath = "/api"
	}
	client, err := rest.RESTClientForConfigAndClient(config, c.HTTP)
	if err != nil {
		return nil, err
	}

	return &API{c, client}, nil
}

// do makes a call once, for Temporal makes it again; into may be nil.
func (a *API) do(ctx context.Context, request func() *rest.Request, into runtime.Object) error {
	return a.cluster.Do(ctx, func(ctx context.Context) error {
		result := request().MaxRetries(0).Do(ctx)
		if into == nil {
			return result.Error()
		}
		return result.Into(into)
	})
}

// Get reads an object.
func (a *API) Get(ctx context.Context, resource, name string, into runtime.Object) error {
	return a.do(ctx, func() *rest.Request {
		return a.client.Get().Namespace(a.cluster.Namespace).Resource(resource).Name(name)
	}, into)
}

// List reads the objects that a selector selects, limit of them at most.
func (a *API) List(ctx context.Context, resource, selector string, limit int, into runtime.Object) error {
	return a.do(ctx, func() *rest.Request {
		return a.client.Get().Namespace(a.cluster.Namespace).Resource(resource).
			Param("labelSelector", selector).Param("limit", strconv.Itoa(limit))
	}, into)
}

// Create creates an object. A rehearsal is judged as if, and not kept.
func (a *API) Create(ctx context.Context, resource string, object runtime.Object, isRehearsal bool) error {
	return a.do(ctx, func() *rest.Request {
		request := a.client.Post().Namespace(a.cluster.Namespace).Resource(resource).Param("fieldManager", FieldManager).Body(object)
		if isRehearsal {
			request.Param("dryRun", metav1.DryRunAll)
		}
		return request
	}, nil)
}

// Delete deletes an object, what it owns first.
func (a *API) Delete(ctx context.Context, resource, name string, uid types.UID) error {
	options := Deletion(uid)
	return a.do(ctx, func() *rest.Request {
		return a.client.Delete().Namespace(a.cluster.Namespace).Resource(resource).Name(name).Body(&options)
	}, nil)
}

// Deletion is that of one object, and of none that has taken its name since; what
// the object owns goes first.
func Deletion(uid types.UID) metav1.DeleteOptions {
	foreground := metav1.DeletePropagationForeground
	return metav1.DeleteOptions{PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &uid}}
}

// NamespaceMissing is the API server's word that there is no such namespace; nil
// where there is one, or where that can't be known.
func (c *Cluster) NamespaceMissing(ctx context.Context) error {
	err := c.Do(ctx, func(ctx context.Context) error {
		return c.known.Get().AbsPath("/api/v1/namespaces", c.Namespace).MaxRetries(0).Do(ctx).Error()
	})
	if isMissingNamespace(err) {
		return err
	}
	return nil
}

// Resources are what the API server calls the kinds of a group and version.
func (c *Cluster) Resources(ctx context.Context, version schema.GroupVersion) ([]metav1.APIResource, error) {
	path := "/apis/" + version.String()
	if version.Group == "" {
		path = "/api/" + version.String()
	}
	var known metav1.APIResourceList
	err := c.Do(ctx, func(ctx context.Context) error {
		return c.known.Get().AbsPath(path).MaxRetries(0).Do(ctx).Into(&known)
	})
	return known.APIResources, err
}
