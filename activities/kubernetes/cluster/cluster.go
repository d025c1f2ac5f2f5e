// Package cluster is what the backends for Kubernetes share: the connection to an
// API server, the form in which a decision reaches what they create there, and what
// the errors of an API server mean to a monitor.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/modelvigil/modelvigil/internal/httpclient"
)

// callTimeout bounds one call to the API server, which takes milliseconds when
// it is well; a read whose connection breaks off is tried again meanwhile. A call
// that fails is made again by the activity's retries.
const callTimeout = 10 * time.Second

// Config says which cluster and namespace retrainings run in. The zero value is
// what kubectl would use: KUBECONFIG or ~/.kube/config, else the service account
// of the pod that this process runs in.
type Config struct {
	Kubeconfig string // path of a kubeconfig file
	Context    string // a context of the kubeconfig; empty means its current one
	Namespace  string // empty means the context's, or the pod's own
	// REST is the connection of a process that has one already. Kubeconfig and
	// Context are then left empty.
	REST *rest.Config
}

// Cluster is a connection to one namespace of an API server.
type Cluster struct {
	REST      *rest.Config // for the clients made of it, together with HTTP
	HTTP      *http.Client
	Namespace string
	Where     string // as errors show it

	known, anonymous *rest.RESTClient // ask whether the API server is ready
}

// Connect returns a connection, or an error that joins every fault of the
// configuration, each beginning with its field. It reaches out with the first
// call, so an API server that is away is no error here.
func Connect(config Config) (*Cluster, error) {
	var faults []error
	restConfig, namespace, err := load(config)
	if err != nil {
		faults = append(faults, err)
	}
	namespace = cmp.Or(config.Namespace, namespace)
	if wrong := validation.IsDNS1123Label(namespace); err == nil && len(wrong) > 0 {
		faults = append(faults, fmt.Errorf("namespace: %q is no namespace's name: %s", namespace, strings.Join(wrong, "; ")))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	cluster, err := connect(restConfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: can't be used for a connection: %w", err)
	}

	cluster.Namespace = namespace
	cluster.Where = fmt.Sprintf("namespace %q at %s", namespace, restConfig.Host)
	return cluster, nil
}

func connect(config *rest.Config) (c *Cluster, err error) {
	c = &Cluster{REST: config}
	c.HTTP, err = rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}

	known, anonymous := rest.CopyConfig(config), rest.AnonymousClientConfig(config)
	known.NegotiatedSerializer = codecs.WithoutConversion()
	anonymous.NegotiatedSerializer = known.NegotiatedSerializer
	anonymous.QPS = -1
	anonymous.Timeout = callTimeout
	c.known, err = rest.UnversionedRESTClientForConfigAndClient(known, c.HTTP)
	if err != nil {
		return nil, err
	}

	c.anonymous, err = rest.UnversionedRESTClientFor(anonymous)
	return c, err
}

// Close ends the connections that are idle.
func (c *Cluster) Close() {
	c.HTTP.CloseIdleConnections()
	if c.anonymous.Client != nil { // else it is http.DefaultClient
		c.anonymous.Client.CloseIdleConnections()
	}
}

func load(config Config) (*rest.Config, string, error) {
	if config.REST != nil {
		if config.Kubeconfig != "" || config.Context != "" {
			return nil, "", errors.New("kubeconfig: can't be given together with a connection that exists already")
		}
		return prepared(config.REST), "", nil
	}

	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = config.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: config.Context})
	restConfig, err := loader.ClientConfig()
	if err != nil {
		raw, rawErr := rules.Load()
		switch {
		case rawErr == nil && config.Context != "" && raw.Contexts[config.Context] == nil:
			return nil, "", fmt.Errorf("context: the kubeconfig has no context %q, only %s", config.Context,
				cmp.Or(strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", "), "none at all"))
		case clientcmd.IsEmptyConfig(err):
			err = errors.New("there is none, and this process runs in no pod; name a kubeconfig file")
		}

		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("namespace: %w", err)
	}

	return prepared(restConfig), namespace, nil
}

// prepared is a connection as this process uses it: no pace of its own, for the API
// server has one for all its clients; and no waiting, for Temporal does that.
func prepared(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Timeout = callTimeout
	config.UserAgent = httpclient.UserAgent
	config.WarningHandler = rest.NoWarnings{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return impatient{next} })
	return config
}

// isReady says whether an API server that has refused a call has all that it decides
// by. One that has just started refuses what it allows until it has read its roles,
// and with it whoever may ask whether it is ready; so does everyone who is known.
func (c *Cluster) isReady(ctx context.Context, refusal error) bool {
	asking := c.known
	if apierrors.IsUnauthorized(refusal) {
		asking = c.anonymous
	}
	var code int
	err := asking.Get().AbsPath("/readyz").MaxRetries(0).Do(ctx).StatusCode(&code).Error()
	return err == nil || code == http.StatusUnauthorized // it takes no strangers, and so doesn't say
}

// Faults are those that an error joins.
func Faults(err error) []error {
	if err == nil {
		return nil
	}

	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var faults []error
		for _, fault := range joined.Unwrap() {
			faults = append(faults, Faults(fault)...)
		}
		return faults
	}
	return []error{err}
}
