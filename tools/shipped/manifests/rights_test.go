package manifests

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// verbs are all that a role can name for resources.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "approve", "sign"}

// Whatever the API server has, in this namespace or another: the service accounts
// may do what is listed here, and no more than any account may.
func TestServiceAccountsMayDoWhatTheyNeedAndNoMore(t *testing.T) {
	a := newApplier(t)
	const namespace, jobs = "modelvigil", "modelvigil-jobs"
	for _, name := range []string{namespace, jobs} {
		if _, err := a.typed.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			a.namespace(t, name)
		}
	}
	for _, object := range render(t, "deploy/kubernetes") {
		switch object.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding":
			require.NoError(t, a.apply(t.Context(), object))
		}
	}
	needs := []string{
		"create jobs.batch", "delete jobs.batch", "get jobs.batch", "get cronjobs.batch", "list pods.",
	}
	slices.Sort(needs)
	anybody := a.allowed(t, namespace, "default")
	beyond := func(namespace, account string) (extra []string) {
		for _, right := range a.allowed(t, namespace, account) {
			if !slices.Contains(anybody, right) {
				extra = append(extra, right)
			}
		}
		return extra
	}
	patience.Until(t, "the role counts", func() bool { return len(beyond(jobs, "modelvigil-worker")) >= len(needs) })
	require.Equal(t, needs, beyond(jobs, "modelvigil-worker"))
	require.Empty(t, beyond(namespace, "modelvigil-worker"), "where its own secrets are")
	require.Empty(t, beyond(namespace, "modelvigil-gateway"))
	require.Empty(t, beyond(jobs, "modelvigil-gateway"))
	require.Empty(t, beyond("kube-system", "modelvigil-worker"), "in another namespace")
	require.Empty(t, beyond(metav1.NamespaceAll, "modelvigil-worker"), "in all namespaces at once")
}

// allowed is everything that an account of the namespace "modelvigil" may do in a
// namespace, as "verb resource.group".
func (a *applier) allowed(t *testing.T, namespace, account string) []string {
	t.Helper()
	_, lists, err := a.typed.Discovery().ServerGroupsAndResources()
	require.NoError(t, err)
	var group errgroup.Group
	group.SetLimit(16)
	rights := make(chan string, 1<<14)
	for _, list := range lists {
		apiGroup, version, ok := strings.Cut(list.GroupVersion, "/")
		if !ok {
			apiGroup, version = "", list.GroupVersion
		}
		for _, resource := range list.APIResources {
			name, subresource, _ := strings.Cut(resource.Name, "/")
			for _, verb := range verbs {
				group.Go(func() error {
					review, err := a.typed.AuthorizationV1().SubjectAccessReviews().Create(context.WithoutCancel(t.Context()), &authorizationv1.SubjectAccessReview{
						Spec: authorizationv1.SubjectAccessReviewSpec{
							User:   "system:serviceaccount:modelvigil:" + account,
							Groups: []string{"system:serviceaccounts", "system:serviceaccounts:modelvigil", "system:authenticated"},
							ResourceAttributes: &authorizationv1.ResourceAttributes{
								Namespace: namespace, Verb: verb, Group: apiGroup, Version: version, Resource: name, Subresource: subresource,
							},
						},
					}, metav1.CreateOptions{})
					if err != nil {
						return err
					}
					if review.Status.Allowed {
						rights <- fmt.Sprintf("%s %s.%s", verb, resource.Name, apiGroup)
					}
					return nil
				})
			}
		}
	}
	require.NoError(t, group.Wait())
	close(rights)
	var found []string
	for right := range rights {
		found = append(found, right)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
