package main

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// heldFor is how long what ends a run is held back: a model is sent a batch in less.
	heldFor = 3 * time.Second
	// longestMessage is what goes through, in bytes: the SDK's own bound.
	longestMessage = 128 << 20
)

// front is a way to the server that reads what goes over it. While it holds, what ends
// a run comes late: a signal overtakes it, the server takes the task back, and refuses
// what is sent to the run from then on until the next attempt has ended it.
type front struct {
	address string
	server  *grpc.Server
	conn    *grpc.ClientConn
	client  client.Client // whose signals go over it
	isHeld  atomic.Bool
	held    atomic.Int64 // ends of runs
	refused atomic.Int64 // signals, for a run that was about to end
}

func startFront(upstream string) (*front, error) {
	conn, err := grpc.NewClient(upstream, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(longestMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second}}))
	if err != nil {
		return nil, err
	}
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{Client: workflowservice.NewWorkflowServiceClient(conn)})
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}

	through, err := client.NewLazyClient(client.Options{HostPort: address, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return nil, err
	}

	f := &front{address: address, conn: conn, client: through}
	f.server = grpc.NewServer(grpc.UnaryInterceptor(f.intercept), grpc.MaxRecvMsgSize(longestMessage))
	workflowservice.RegisterWorkflowServiceServer(f.server, service)
	healthpb.RegisterHealthServer(f.server, health.NewServer())
	go func() { _ = f.server.Serve(listener) }() // until it is stopped
	return f, nil
}

func (f *front) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if completed, ok := request.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok && f.isHeld.Load() && endsRun(completed) {
		f.held.Add(1)
		sleep(ctx, heldFor)
	}
	answer, err := next(ctx, request)
	if err != nil && strings.Contains(err.Error(), "workflow is closing") {
		f.refused.Add(1)
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

func (f *front) stop() {
	f.client.Close()
	f.server.Stop()
	_ = f.conn.Close()
}
