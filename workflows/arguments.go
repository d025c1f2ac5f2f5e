package workflows

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// maxArguments is how many arguments of one signal are read. A signal of 2 MiB may have
// a million of them, and what each costs besides its bytes is bounded for signals.
const maxArguments = 100

// EveryArgument hands each argument of a signal on as a signal of its own. A workflow
// receives the first alone, and knows of no other: a client that takes a list of events
// for a list of arguments would lose all but one, and nobody would say so. Whoever runs
// or replays monitors has it among its interceptors.
type EveryArgument struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (*EveryArgument) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	each := &eachArgument{}
	each.Next = next
	return each
}

// furtherArguments stands for so many arguments that are not read. It has an encoding
// that none has, so that it is rejected with these words.
func furtherArguments(count int) *commonpb.Payload {
	says := fmt.Sprintf("%d further arguments of one signal: %d are read, send a list of events as one", count, maxArguments)
	return &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(says)}}
}

type eachArgument struct {
	interceptor.WorkflowInboundInterceptorBase
}

// HandleSignal implements interceptor.WorkflowInboundInterceptor.
func (e *eachArgument) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	arguments := in.Arg.GetPayloads()
	if len(arguments) <= 1 {
		return e.Next.HandleSignal(ctx, in)
	}

	for i, argument := range arguments {
		if i == maxArguments {
			argument = furtherArguments(len(arguments) - i)
		} else if i > maxArguments {
			break
		}

		one := *in
		one.Arg = &commonpb.Payloads{Payloads: []*commonpb.Payload{argument}}
		if err := e.Next.HandleSignal(ctx, &one); err != nil {
			return err
		}
	}

	return nil
}
