package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// faultProxy stands between a hub and the real server, and does to its signals
// what networks do.
type faultProxy struct {
	address string
	faulty  atomic.Bool
	mu      sync.Mutex
	random  *rand.Rand
	dealt   map[string]int
	conns   map[net.Conn]bool
}

func startFaultProxy(t *testing.T) *faultProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &faultProxy{
		address: listener.Addr().String(), random: rand.New(rand.NewPCG(4, 2)),
		dealt: map[string]int{}, conns: map[net.Conn]bool{},
	}
	serveProxy(t, &trackingListener{listener, p}, p.intercept)
	return p
}

// serveProxy hands calls on to the real server, through an interceptor.
func serveProxy(t *testing.T, listener net.Listener, intercept grpc.UnaryServerInterceptor) {
	t.Helper()
	upstream, err := grpc.NewClient(server.FrontendHostPort(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{
		Client: workflowservice.NewWorkflowServiceClient(upstream),
	})
	require.NoError(t, err)

	front := grpc.NewServer(grpc.UnaryInterceptor(intercept))
	workflowservice.RegisterWorkflowServiceServer(front, service)
	healthy := health.NewServer()
	healthy.SetServingStatus(workflowservice.WorkflowService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(front, healthy)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = front.Serve(listener)
	}()
	t.Cleanup(func() {
		front.Stop()
		<-done
		_ = upstream.Close()
	})
}

var faults = [...]string{"drop request", "drop answer", "delay", "reset before", "reset after"}

// hasDealt says whether every kind of fault was dealt, and so many times.
func (p *faultProxy) hasDealt(times int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, fault := range faults {
		if p.dealt[fault] < times {
			return false
		}
	}
	return true
}

// intercept deals one signal in two a fault, of five kinds.
func (p *faultProxy) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if info.FullMethod != workflowservice.WorkflowService_SignalWithStartWorkflowExecution_FullMethodName || !p.faulty.Load() {
		return next(ctx, request)
	}
	p.mu.Lock()
	fault := "none"
	if n := p.random.IntN(2 * len(faults)); n < len(faults) {
		fault = faults[n]
	}
	p.dealt[fault]++
	p.mu.Unlock()
	switch fault {
	case "drop request":
		return nil, p.hang(ctx)
	case "drop answer":
		_, _ = next(ctx, request)
		return nil, p.hang(ctx)
	case "delay":
		_ = p.hang(ctx)
		return next(context.WithoutCancel(ctx), request) // it arrives after its sender has given up
	case "reset before":
		p.reset()
	case "reset after":
		_, _ = next(ctx, request)
		p.reset()
	default:
		return next(ctx, request)
	}
	return nil, grpcstatus.Error(codes.Unavailable, "reset")
}

// hang waits as long as a lost packet would: until the sender gives up, or a
// little less.
func (p *faultProxy) hang(ctx context.Context) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return grpcstatus.Error(codes.DeadlineExceeded, "lost")
}

func (p *faultProxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
		delete(p.conns, conn)
	}
}

type trackingListener struct {
	net.Listener
	proxy *faultProxy
}

func (l *trackingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.proxy.mu.Lock()
		l.proxy.conns[conn] = true
		l.proxy.mu.Unlock()
	}
	return conn, err
}

func TestEveryEventIsCountedOnceThroughAFaultyNetwork(t *testing.T) {
	t.Parallel()
	const queue, models, publishers = "faulty", 5, 4
	startWorker(t, queue)
	p := startFaultProxy(t)
	temporalClient, err := client.Dial(client.Options{HostPort: p.address, Logger: quietLog})
	require.NoError(t, err)
	defer temporalClient.Close()
	p.faulty.Store(true)

	h := hub.New(temporalClient, hub.Options{TaskQueue: queue, Logger: slog.New(slog.DiscardHandler)})
	var published [models]atomic.Int64
	var work sync.WaitGroup
	work.Go(func() { // healthy digests go more often than they have to
		for !p.hasDealt(20) {
			assert.NoError(t, h.Flush(t.Context()))
		}
	})
	for range publishers {
		work.Go(func() {
			ticker := time.NewTicker(100 * time.Millisecond)
			defer ticker.Stop()
			for !p.hasDealt(20) {
				for m := range models {
					for range 10 {
						if assert.NoError(t, h.Publish(t.Context(), metric.NewEvent(faultyModel(m), "v1", 0.95, 120, 0.02))) {
							published[m].Add(1)
						}
					}
				}
				<-ticker.C
			}
		})
	}
	work.Wait()
	p.faulty.Store(false)
	require.NoError(t, h.Close(patience.Context(t)))

	duplicates := int64(0)
	for m := range models {
		s := until(t, faultyModel(m), "the last batch is handled", func(s monitor.Status) bool { return s.Events >= published[m].Load() })
		assert.Equal(t, published[m].Load(), s.Events, faultyModel(m))
		assert.Zero(t, s.Gaps)
		duplicates += s.Duplicates
	}
	t.Logf("faults dealt: %v; digests redelivered and dropped: %d", p.dealt, duplicates)
	assert.Positive(t, duplicates, "the proxy has made none, so the test shows nothing")
}

func faultyModel(m int) string { return fmt.Sprintf("faulty-%d", m) }
