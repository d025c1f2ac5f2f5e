package workflows_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/workflows"
)

// received is an interceptor that notes what signals it is handed.
type received struct {
	interceptor.WorkflowInboundInterceptorBase
	arguments []string
}

func (r *received) HandleSignal(_ workflow.Context, in *interceptor.HandleSignalInput) error {
	for _, argument := range in.Arg.GetPayloads() {
		r.arguments = append(r.arguments, in.SignalName+" "+string(argument.GetData())+string(argument.GetMetadata()["encoding"]))
	}
	if len(in.Arg.GetPayloads()) == 0 {
		r.arguments = append(r.arguments, in.SignalName)
	}
	return nil
}

func TestEveryArgumentOfASignalIsHandedOnAsASignalOrCounted(t *testing.T) {
	signal := func(count int) []string {
		next := &received{}
		arguments := &commonpb.Payloads{}
		for i := range count {
			arguments.Payloads = append(arguments.Payloads, &commonpb.Payload{Data: []byte(strconv.Itoa(i))})
		}
		err := (&workflows.EveryArgument{}).InterceptWorkflow(nil, next).HandleSignal(nil, &interceptor.HandleSignalInput{SignalName: "metric", Arg: arguments})
		require.NoError(t, err)
		return next.arguments
	}

	assert.Equal(t, []string{"metric"}, signal(0))
	assert.Equal(t, []string{"metric 0"}, signal(1))
	assert.Equal(t, []string{"metric 0", "metric 1", "metric 2"}, signal(3))
	assert.Len(t, signal(100), 100)
	most := signal(103)
	require.Len(t, most, 101)
	assert.Equal(t, "metric 3 further arguments of one signal: 100 are read, send a list of events as one", most[100])
}
