package object

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/modelops"
)

// Check says, before a model has to be retrained, what would keep it from being: a
// kind that the API server doesn't know, rights that are lacking, an object that it
// wouldn't take. It creates nothing. Its error joins all that it found.
func (b *Backend) Check(ctx context.Context) error {
	request := modelops.Request{RequestID: "check", ModelName: "check", Reason: "a check of the settings"}
	name := cluster.Name(request)
	objects, err := b.objects(ctx)
	if err != nil {
		return b.failed("create", name, err)
	}

	var rights []cluster.Right
	for _, verb := range []string{"get", "create", "delete"} {
		rights = append(rights, cluster.Right{Group: b.template.kind.Group, Resource: *b.resource.Load(), Verb: verb})
	}
	if err := b.cluster.Lacks(ctx, rights); err != nil {
		return err
	}
	object, err := b.template.fill(name, b.cluster.Namespace, request)
	if err != nil {
		return b.failed("create", name, err)
	}

	err = b.cluster.Do(ctx, func(ctx context.Context) error {
		_, err := objects.Create(ctx, object, metav1.CreateOptions{FieldManager: cluster.FieldManager, DryRun: []string{metav1.DryRunAll}})
		return err
	})
	if err != nil {
		return b.failed("create", name, err)
	}

	return nil
}
