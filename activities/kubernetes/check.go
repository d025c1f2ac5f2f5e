package kubernetes

import (
	"context"
	"fmt"

	"github.com/modelvigil/modelvigil/activities/kubernetes/cluster"
	"github.com/modelvigil/modelvigil/modelops"
)

// Check says, before a model has to be retrained, what would keep it from being:
// rights that are lacking, a template that is missing, a Job that the API server
// wouldn't take. It creates nothing. Its error joins all that it found.
func (b *Backend) Check(ctx context.Context) error {
	rights := []cluster.Right{
		{Group: "batch", Resource: "jobs", Verb: "get"},
		{Group: "batch", Resource: "jobs", Verb: "create"},
		{Group: "batch", Resource: "jobs", Verb: "delete"},
		{Resource: "pods", Verb: "list"},
	}
	if b.config.CronJob != "" {
		rights = append(rights, cluster.Right{Group: "batch", Resource: "cronjobs", Verb: "get"})
	}
	if err := b.cluster.Lacks(ctx, rights); err != nil {
		return err
	}
	if err := b.rehearse(ctx); err != nil {
		return fmt.Errorf("create a Job in %s: %w", b.cluster.Where, err)
	}

	return nil
}

// rehearse creates a Job that the API server judges, and doesn't keep.
func (b *Backend) rehearse(ctx context.Context) error {
	template, err := b.template(ctx)
	if err != nil {
		return err
	}
	request := modelops.Request{RequestID: "check", ModelName: "check", Reason: "a check of the settings"}
	job, err := b.build(template, cluster.Name(request), request)
	if err != nil {
		return err
	}
	return b.batch.Create(ctx, "jobs", job, true)
}
