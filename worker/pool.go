package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/lastpolicy"
)

const (
	// Pauses between attempts to reach a Temporal server that is away.
	firstPause   = time.Second
	longestPause = 10 * time.Second

	// stopTimeout is how long calls to backends under way may go on after
	// SIGTERM. It fits into the 30 s that Kubernetes and our docker-compose.yml
	// give. A call that is cut off all the same is made again, by the same
	// request id, by whichever worker is up.
	stopTimeout = 25 * time.Second

	// maxBackendCalls is how many calls to backends run at once. They are short,
	// and a backend that trains models need not bear more from one process.
	maxBackendCalls = 64
)

// pool is the Temporal workers of this process, and the connection under them.
type pool struct {
	configuration
	state  *readiness
	survey *survey
	models *models // nil: no series of single models
}

// newPool returns a pool whose metrics are to be seen from the beginning.
func newPool(c configuration, state *readiness, registry *prometheus.Registry) *pool {
	p := &pool{configuration: c, state: state}
	namespace, taskQueue := cmp.Or(c.temporal.Namespace, client.DefaultNamespace), string(c.settings.TaskQueue)
	workflows.ShowZeros(c.temporal.MetricsHandler.WithTags(map[string]string{"namespace": namespace, "task_queue": taskQueue}))
	p.survey = newSurvey(namespace, taskQueue, encryption.DataConverter(c.temporal), c.log)
	registry.MustRegister(p.survey)
	if c.settings.PerModelMetrics {
		p.models = newModels()
		registry.MustRegister(p.models)
	}
	return p
}

// run keeps the workers running until ctx ends, and then lets them finish. A
// server that is away, or a namespace that is not there yet, is waited for: a
// process that ends instead would only be started again.
func (p *pool) run(ctx context.Context) {
	defer p.state.set(nil, errStopping)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		opened, err := p.open(ctx)
		if err == nil {
			pause = firstPause
			err = p.serve(ctx, opened)
		}

		if ctx.Err() != nil {
			return
		}

		p.state.set(nil, err)
		p.log.Warn("no work can be taken from Temporal; trying again", "pause", pause.String(), "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// serve waits until the workers are to stop, or one has failed, and ends them.
func (p *pool) serve(ctx context.Context, s *session) (err error) {
	p.state.set(s.client, nil)
	p.log.Info("worker is ready", "task_queue", string(p.settings.TaskQueue), "backend", p.settings.Backends.Default)
	select {
	case <-ctx.Done():
		p.state.set(nil, errStopping)
		p.log.Info("worker stops; calls under way may finish", "timeout", stopTimeout.String())
	case err = <-s.failed:
		p.state.set(nil, err)
	}
	s.close()
	return err
}

// session is one connection with its running workers.
type session struct {
	client     client.Client
	versioning workflow.VersioningBehavior // of monitors; unspecified: that of the deployment
	workers    []worker.Worker
	failed     chan error // why a worker has ended by itself
	search     search
	helping    sync.WaitGroup
	dismiss    context.CancelFunc // ends what helps the workers
}

// open connects and starts the workers.
func (p *pool) open(ctx context.Context) (*session, error) {
	c, err := client.DialContext(ctx, p.temporal)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w", cmp.Or(p.temporal.HostPort, client.DefaultHostPort), err)
	}
	versioning, err := p.versioning(ctx, c.WorkflowService())
	if err != nil {
		c.Close()
		return nil, err
	}

	helping, dismiss := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{client: c, versioning: versioning, failed: make(chan error, 4), dismiss: dismiss}
	s.search.ensure(ctx, p, c, true) // the first monitors are to be found, too
	s.helping.Go(func() { s.search.watch(helping, p, c) })
	s.helping.Go(func() { p.survey.watch(helping, c, s.search.has.Load) })
	for _, w := range []worker.Worker{p.monitors(s), p.retrainings(s), p.followings(s), p.tellers(s)} {
		if err := w.Start(); err != nil {
			s.close()
			return nil, fmt.Errorf("start work in namespace %q: %w", cmp.Or(p.temporal.Namespace, client.DefaultNamespace), err)
		}
		s.workers = append(s.workers, w)
	}

	return s, nil
}

// monitors runs the workflows.
func (p *pool) monitors(s *session) worker.Worker {
	monitors := workflows.Worker{HasIndex: s.search.has.Load, NeedsSeal: bool(p.settings.MustEncrypt)}
	w := worker.New(s.client, string(p.settings.TaskQueue), worker.Options{
		LocalActivityWorkerOnly:     true, // activities have a queue of their own: nobody polls for them here
		WorkflowTaskPollerBehavior:  pollers(),
		WorkerStopTimeout:           stopTimeout,
		DisableRegistrationAliasing: true, // names are the wire contract's, and no other
		Interceptors: slices.Concat([]interceptor.WorkerInterceptor{
			&workflows.EveryArgument{}, &edge{backends: p.backends, channels: p.notices.Channels}, &listening{models: p.models},
		}, p.traces.Worker(), []interceptor.WorkerInterceptor{&direct{monitors: monitors}}),
		OnFatalError:      s.fail,
		DeploymentOptions: p.settings.deployment(),
		// WorkflowPanicPolicy stays BlockWorkflow: a monitor that today's code
		// can't replay waits for code that can, and loses nothing meanwhile.
	})
	w.RegisterWorkflowWithOptions(monitors.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType, VersioningBehavior: s.versioning})
	lastpolicy.Register(w, s.client, encryption.DataConverter(p.temporal))
	w.RegisterWorkflowWithOptions(workflows.FleetWorkflow, workflow.RegisterOptions{Name: workflows.FleetType})
	return w
}

// retrainings asks backends for retrainings, no faster than the fleet may.
func (p *pool) retrainings(s *session) worker.Worker {
	return p.calls(s, workflows.RetrainingTaskQueue(string(p.settings.TaskQueue)), float64(p.settings.RetrainingRate))
}

// followings asks backends what became of them, and ends them.
func (p *pool) followings(s *session) worker.Worker {
	return p.calls(s, workflows.FollowingTaskQueue(string(p.settings.TaskQueue)), 0)
}

// calls runs calls to backends. rate is enforced by the server, over all workers of
// the queue; zero means none.
func (p *pool) calls(s *session, queue string, rate float64) worker.Worker {
	w := worker.New(s.client, queue, worker.Options{
		DisableWorkflowWorker:              true,
		ActivityTaskPollerBehavior:         pollers(),
		MaxConcurrentActivityExecutionSize: maxBackendCalls,
		TaskQueueActivitiesPerSecond:       rate,
		WorkerStopTimeout:                  stopTimeout,
		Interceptors:                       p.traces.Worker(),
		OnFatalError:                       s.fail,
		DeploymentOptions:                  p.settings.deployment(),
	})
	w.RegisterActivity(&activities.Retraining{
		Backends: p.backends, Default: p.settings.Backends.Default,
		PollInterval: time.Duration(p.settings.PollInterval),
		Gate: &gate{
			client: s.client, data: encryption.DataConverter(p.temporal), namespace: cmp.Or(p.temporal.Namespace, client.DefaultNamespace),
			taskQueue: string(p.settings.TaskQueue), brake: p.settings.FleetBrake,
		},
	})
	return w
}

// tellers tell channels of decisions.
func (p *pool) tellers(s *session) worker.Worker {
	w := worker.New(s.client, workflows.NoticesTaskQueue(string(p.settings.TaskQueue)), worker.Options{
		DisableWorkflowWorker:              true,
		ActivityTaskPollerBehavior:         pollers(),
		MaxConcurrentActivityExecutionSize: maxBackendCalls,
		WorkerStopTimeout:                  stopTimeout,
		Interceptors:                       p.traces.Worker(),
		OnFatalError:                       s.fail,
		DeploymentOptions:                  p.settings.deployment(),
	})
	w.RegisterActivity(&p.notices)
	w.RegisterActivity(&activities.Bounds{})
	return w
}

// pollers follow the load: few while a fleet of models is quiet, more when the
// server says that tasks wait.
func pollers() worker.PollerBehavior {
	return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
}

func (s *session) fail(err error) {
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

// close lets both workers finish at the same time, so that the timeout is
// waited for once.
func (s *session) close() {
	var stopped sync.WaitGroup
	for _, w := range s.workers {
		stopped.Go(w.Stop)
	}
	stopped.Wait()
	s.dismiss()
	s.helping.Wait()
	s.client.Close()
}
