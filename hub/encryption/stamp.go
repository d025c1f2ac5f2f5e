package encryption

import (
	"context"
	"crypto/rand"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"

	"github.com/modelvigil/modelvigil/internal/seal"
)

// stamper writes on each update's payload, before it is sealed, which update it is,
// of which id, and when it was sent.
type stamper struct {
	interceptor.ClientInterceptorBase
	data converter.DataConverter // that encodes, and doesn't encrypt
}

// InterceptClient implements interceptor.ClientInterceptor.
func (s *stamper) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	outbound := &stamping{data: s.data}
	outbound.Next = next
	return outbound
}

type stamping struct {
	interceptor.ClientOutboundInterceptorBase
	data converter.DataConverter
}

// UpdateWorkflow implements interceptor.ClientOutboundInterceptor.
func (s *stamping) UpdateWorkflow(ctx context.Context, in *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	if err := s.stamp(in.UpdateName, &in.UpdateID, in.Args); err != nil {
		return nil, err
	}
	return s.Next.UpdateWorkflow(ctx, in)
}

// UpdateWithStartWorkflow implements interceptor.ClientOutboundInterceptor.
func (s *stamping) UpdateWithStartWorkflow(ctx context.Context, in *interceptor.ClientUpdateWithStartWorkflowInput) (client.WorkflowUpdateHandle, error) {
	if err := s.stamp(in.UpdateOptions.UpdateName, &in.UpdateOptions.UpdateID, in.UpdateOptions.Args); err != nil {
		return nil, err
	}
	return s.Next.UpdateWithStartWorkflow(ctx, in)
}

func (s *stamping) stamp(update string, id *string, args []any) error {
	if *id == "" {
		*id = rand.Text()
	}
	for i, argument := range args {
		payload, err := s.data.ToPayload(argument)
		if err != nil {
			return err
		}
		seal.Put(payload, seal.Stamp{Update: update, ID: *id, Sealed: time.Now().UTC()})
		args[i] = converter.NewRawValue(payload)
	}

	return nil
}
