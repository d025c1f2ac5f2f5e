package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/index"
)

const (
	// surveyPause is how old what a scrape shows of the fleet may be: a dozen calls
	// of the server each time, of every worker.
	surveyPause = 30 * time.Second
	// surveyTimeout bounds one look at everything.
	surveyTimeout = 20 * time.Second
)

// phaseUnknown is that of monitors without search attributes.
const phaseUnknown = "unknown"

// survey is what the server knows of the fleet of one task queue, as metrics. Every
// worker of the queue shows the same: take one of them, with max.
type survey struct {
	namespace, taskQueue string
	data                 converter.DataConverter
	log                  *slog.Logger
	failures             prometheus.Counter

	mu   sync.Mutex
	seen []prometheus.Metric // nothing while the server is away
}

func newSurvey(namespace, taskQueue string, data converter.DataConverter, logger *slog.Logger) *survey {
	return &survey{
		namespace: namespace, taskQueue: taskQueue, data: data, log: logger,
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelvigil_survey_failures_total", Help: "Looks at the fleet that did not see everything.",
		}),
	}
}

var (
	fleetLabels  = []string{"namespace", "task_queue"}
	queueLabels  = []string{"namespace", "task_queue", "task_type"}
	monitorsDesc = prometheus.NewDesc("modelvigil_monitors", "Monitors that run, by phase.", append(fleetLabels, "phase"), nil)
	freezesDesc  = prometheus.NewDesc("modelvigil_fleet_freezes", "Freezes in force that hold retrainings back.", fleetLabels, nil)
	backlogDesc  = prometheus.NewDesc("modelvigil_task_queue_backlog_tasks", "Tasks that wait at the server for a worker, about.", queueLabels, nil)
	ageDesc      = prometheus.NewDesc("modelvigil_task_queue_backlog_age_seconds", "Age of the oldest task that waits, about.", queueLabels, nil)
	pollersDesc  = prometheus.NewDesc("modelvigil_task_queue_pollers", "Workers that have polled within the last five minutes.", queueLabels, nil)
)

// Describe implements prometheus.Collector.
func (s *survey) Describe(descriptions chan<- *prometheus.Desc) {
	s.failures.Describe(descriptions)
	for _, desc := range []*prometheus.Desc{monitorsDesc, freezesDesc, backlogDesc, ageDesc, pollersDesc} {
		descriptions <- desc
	}
}

// Collect implements prometheus.Collector.
func (s *survey) Collect(collected chan<- prometheus.Metric) {
	s.failures.Collect(collected)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, metric := range s.seen {
		collected <- metric
	}
}

// watch looks again and again until ctx ends, and then shows nothing.
func (s *survey) watch(ctx context.Context, c client.Client, hasIndex func() bool) {
	defer s.show(nil)
	for {
		s.show(s.look(ctx, c, hasIndex()))
		select {
		case <-ctx.Done():
			return
		case <-time.After(surveyPause):
		}
	}
}

func (s *survey) show(seen []prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = seen
}

// look asks for everything once. What can't be told is left out.
func (s *survey) look(ctx context.Context, c client.Client, hasIndex bool) (seen []prometheus.Metric) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		seen = append(seen, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{s.namespace, s.taskQueue}, labels...)...))
	}
	phases, err := s.phases(ctx, c, hasIndex)
	faults := []error{err}
	for phase, n := range phases {
		gauge(monitorsDesc, float64(n), phase)
	}
	freezes, err := freezesOf(ctx, c, s.data, s.taskQueue)
	faults = append(faults, err)
	if err == nil {
		gauge(freezesDesc, float64(len(freezes)))
	}
	for _, queue := range []struct {
		name string
		kind enumspb.TaskQueueType
	}{
		{s.taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{workflows.RetrainingTaskQueue(s.taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{workflows.FollowingTaskQueue(s.taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{workflows.NoticesTaskQueue(s.taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	} {
		described, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: s.namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: queue.name}, TaskQueueType: queue.kind, ReportStats: true,
		})
		faults = append(faults, err)
		if err != nil {
			continue
		}

		for _, value := range []struct {
			desc *prometheus.Desc
			is   float64
		}{
			{backlogDesc, float64(described.GetStats().GetApproximateBacklogCount())},
			{ageDesc, described.GetStats().GetApproximateBacklogAge().AsDuration().Seconds()},
			{pollersDesc, float64(len(described.GetPollers()))},
		} {
			seen = append(seen, prometheus.MustNewConstMetric(value.desc, prometheus.GaugeValue, value.is,
				s.namespace, queue.name, strings.ToLower(queue.kind.String())))
		}
	}

	if err := errors.Join(faults...); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		s.failures.Inc()
		s.log.Debug("not everything is known of the fleet", "error", err)
	}

	return seen
}

// phases counts the monitors that run, by phase.
func (s *survey) phases(ctx context.Context, c client.Client, hasIndex bool) (map[string]int64, error) {
	running := fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND TaskQueue = '%s'",
		contract.WorkflowType, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s.taskQueue))
	count := func(query string) (int64, error) {
		answer, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: s.namespace, Query: query})
		return answer.GetCount(), err
	}

	unknown, err := count(running)
	counts := map[string]int64{}
	for _, phase := range contract.Phases() {
		if err != nil || !hasIndex {
			break
		}
		var n int64
		n, err = count(fmt.Sprintf("%s AND %s = '%s'", running, index.MonitorPhase.GetName(), phase))
		counts[string(phase)] = n
		unknown -= n
	}

	if err != nil {
		return nil, fmt.Errorf("count the monitors: %w", err)
	}

	counts[phaseUnknown] = max(0, unknown) // counts of different moments may not add up
	return counts, nil
}
