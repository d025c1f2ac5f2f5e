package e2e

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// closingProxy holds back what ends a run. The first time a signal overtakes it, and the
// server takes the task back; from the second time on the server refuses what is sent
// to the run until it has ended.
type closingProxy struct {
	address string
	began   chan struct{} // closed when a run is about to end for the first time
	taken   chan struct{} // to be closed when a signal has overtaken it
	open    chan struct{} // to be closed when runs may end

	mu      sync.Mutex
	tries   int
	refused map[string]bool // who was, by identity
}

const isClosing = "workflow is closing"

func startClosingProxy(t *testing.T) *closingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &closingProxy{
		address: listener.Addr().String(), began: make(chan struct{}), taken: make(chan struct{}), open: make(chan struct{}),
		refused: map[string]bool{},
	}
	serveProxy(t, listener, p.intercept)
	return p
}

func (p *closingProxy) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if completed, ok := request.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok && endsRun(completed) {
		p.hold(ctx)
	}

	answer, err := next(ctx, request)
	if sender, ok := request.(interface{ GetIdentity() string }); ok && err != nil && strings.Contains(err.Error(), isClosing) {
		p.mu.Lock()
		p.refused[sender.GetIdentity()] = true
		p.mu.Unlock()
	}
	return answer, err
}

func endsRun(completed *workflowservice.RespondWorkflowTaskCompletedRequest) bool {
	for _, command := range completed.GetCommands() {
		if command.GetCommandType() == enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION {
			return true
		}
	}
	return false
}

func (p *closingProxy) hold(ctx context.Context) {
	p.mu.Lock()
	p.tries++
	isFirst := p.tries == 1
	p.mu.Unlock()
	until := p.open
	if isFirst {
		close(p.began)
		until = p.taken
	}

	select {
	case <-until:
	case <-ctx.Done():
	}
}

func (p *closingProxy) hasTried() int {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.tries
}

// whoWasRefused is how many different senders were.
func (p *closingProxy) whoWasRefused() int {
	p.mu.Lock()
	defer p.mu.Unlock()

	return len(p.refused)
}

// Whoever sends while a run is about to end is refused by the server, with an error that
// says so and passes. What they send is for the next run.
func TestWhatIsSentWhileARunClosesIsForTheNext(t *testing.T) {
	t.Parallel()
	const queue, model = "closing", "closing"
	p := startClosingProxy(t)
	throughProxy := "TEMPORAL_ADDRESS=" + p.address
	startWorker(t, queue, throughProxy)
	dial := func(identity string) client.Client {
		c, err := client.Dial(client.Options{HostPort: p.address, Identity: identity, Logger: quietLog})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	event := metric.Event{ModelName: model, ModelVersion: "v1", Accuracy: metric.Some(0.95)}

	_, stderr, code := starter(t, queue, "model_name: "+model+"\n", "apply", "-")
	require.Zero(t, code, stderr)
	h := hub.New(dial("hub"), hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, h.PublishDurable(t.Context(), event))
	until(t, model, "the first event is counted", func(s monitor.Status) bool { return s.Events == 1 })
	gateway := launchGateway(t, queue, nil, throughProxy)
	patience.Until(t, "the gateway is ready", func() bool { return shown(t, "http://"+gateway.health+"/readyz") == "ready\n" })

	// A new policy is news for publishers, for whom the run hands on.
	_, stderr, code = starter(t, queue, "model_name: "+model+"\nrules: [{metric: accuracy, below: 0.5}]\n", "apply", "-")
	require.Zero(t, code, stderr)
	patience.Receive(t, "the run is about to end", p.began)
	plain := dial("plain")
	require.NoError(t, plain.SignalWorkflow(t.Context(), contract.WorkflowID(model), "", contract.SignalMetric, event), "it overtakes what ends the run")
	close(p.taken)
	patience.Until(t, "the run is about to end for the second time", func() bool { return p.hasTried() >= 2 })

	var senders sync.WaitGroup
	var through atomic.Int32
	limit := patience.Context(t)
	send := func(send func()) {
		senders.Go(func() {
			send()
			through.Add(1)
		})
	}
	send(func() { assert.NoError(t, h.PublishDurable(limit, event)) })
	send(func() {
		answer := gateway.publish(t, "/v1/events?durable=true", `{"model_name": "closing", "model_version": "v1", "accuracy": 0.95}`, "Content-Type", "application/json")
		assert.Equal(t, http.StatusOK, answer.status, answer.Detail)
	})
	send(func() {
		_, err := plain.SignalWithStartWorkflow(limit, contract.WorkflowID(model), contract.SignalMetric, event,
			client.StartWorkflowOptions{TaskQueue: queue}, contract.WorkflowType)
		assert.NoError(t, err, "a plain client tries again by itself")
	})
	send(func() {
		out := starterWith(t, queue, "", []string{throughProxy}, "publish", "--model", model, "--version", "v1", "--accuracy", "0.95")
		assert.Contains(t, out, "1 event")
	})
	send(func() {
		starterWith(t, queue, "", []string{throughProxy}, "pause", model, "--by", "ada", "--reason", "audit")
	})
	patience.Until(t, "all are refused at first, or through", func() bool { return p.whoWasRefused()+int(through.Load()) >= 5 })
	assert.Positive(t, p.whoWasRefused(), "nobody met a run that closes, so the test shows nothing")
	close(p.open)
	senders.Wait()
	require.NoError(t, h.Close(limit))

	s := until(t, model, "all is counted", func(s monitor.Status) bool { return s.Events >= 6 && s.Phase == contract.PhasePaused })
	assert.EqualValues(t, 6, s.Events, "one before, one that overtook, four that came while the run was to end")
	assert.Zero(t, s.Rejected)
	assert.Zero(t, s.Gaps)
}
