package cluster

import (
	"context"
	"errors"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// Right is one to do something with the objects of a resource in the namespace.
type Right struct{ Group, Resource, Verb string }

// Lacks are the rights that the API server doesn't grant, each an error that says so,
// or else the error of asking.
func (c *Cluster) Lacks(ctx context.Context, rights []Right) error {
	var lacks []error
	for _, right := range rights {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.Namespace, Group: right.Group, Resource: right.Resource, Verb: right.Verb},
		}}
		review.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"))
		err := c.Do(ctx, func(ctx context.Context) error {
			return c.known.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").Body(review).MaxRetries(0).Do(ctx).Into(review)
		})
		switch {
		case err != nil:
			return fmt.Errorf("ask for the rights in %s: %w", c.Where, err)
		case !review.Status.Allowed:
			lacks = append(lacks, fmt.Errorf("may not %s %s in %s; grant it: %s has all that is needed", right.Verb, right.Resource, c.Where, RBAC))
		}
	}

	return errors.Join(lacks...)
}
