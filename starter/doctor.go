package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v10"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/starter/roll"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/index"
)

func newDoctorCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Say what would keep retrainings from working, and what to mend",
		Long: `Say what would keep retrainings from working, and what to mend: the cluster and its
namespace, its search attributes, workers at the task queues, freezes, every backend that the environment and
MODELOPS_BACKENDS_FILE set or that running monitors want, and every channel of NOTIFICATIONS_FILE. Give it the worker's environment, and run it where the
worker runs: the network and the credentials are what it looks at. It starts nothing.

The exit code is 1 if something is to be mended.`,
		Example: `  modelvigil doctor
  kubectl exec deploy/modelvigil-worker -- /modelvigil doctor`,
		Args: noArguments,
	}
	timeout, output := timeoutFlag(command), outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}

		defer s.Close()
		checks := s.examine(command.Context())
		if *output == asJSON {
			err = writeJSON(command.OutOrStdout(), map[string]any{"checks": checks})
		} else {
			err = printChecks(command.OutOrStdout(), checks)
		}

		faults := 0
		for _, c := range checks {
			if !c.OK {
				faults++
			}
		}

		if err == nil && faults > 0 {
			err = fmt.Errorf("%s to be mended, named above", plain.CountIs(faults, "thing"))
		}
		return err
	}

	return command
}

// check is one thing that was looked at.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Says string `json:"says"` // what was seen, or what to mend
}

// examine looks at everything.
func (s *server) examine(ctx context.Context) (checks []check) {
	add := func(name, says string, err error) {
		if err != nil {
			says = err.Error()
		}
		checks = append(checks, check{name, err == nil, says})
	}

	add("cluster", s.address, nil)
	says, err := s.examineNamespace(ctx)
	add("namespace "+s.namespace, says, err)
	if err == nil {
		queue := string(s.settings.TaskQueue)
		for name, kind := range map[string]enumspb.TaskQueueType{
			queue:                                enumspb.TASK_QUEUE_TYPE_WORKFLOW,
			workflows.RetrainingTaskQueue(queue): enumspb.TASK_QUEUE_TYPE_ACTIVITY,
			workflows.FollowingTaskQueue(queue):  enumspb.TASK_QUEUE_TYPE_ACTIVITY,
			workflows.NoticesTaskQueue(queue):    enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		} {
			says, err := s.examineQueue(ctx, name, kind)
			add("task queue "+name, says, err)
		}

		says, err := s.examineIndex(ctx)
		add("search attributes", says, err)
		freezes, err := s.freezes(ctx)
		says = "none"
		for i := range freezes {
			says = strings.TrimPrefix(says+"; "+freezes[i].String(), "none; ")
		}
		add("freezes", says, err)
	}

	monitors, _ := s.list(ctx, false)
	monitors = slices.DeleteFunc(monitors, func(m listedMonitor) bool { return m.TaskQueue != string(s.settings.TaskQueue) })
	checks = append(checks, s.examineBuilds(ctx, monitors)...)
	checks = append(checks, s.examineBackends(ctx, wantedBackends(monitors))...)
	checks = append(checks, s.examineChannels(ctx)...)
	slices.SortStableFunc(checks[2:], func(a, b check) int { return strings.Compare(a.Name, b.Name) })
	return checks
}

func (s *server) examineNamespace(ctx context.Context) (says string, err error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := s.WorkflowService().DescribeNamespace(bounded, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return "", s.explain(ctx, "", "", err)
	}
	return fmt.Sprintf("keeps ended runs for %v", answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()), nil
}

func (s *server) examineIndex(ctx context.Context) (says string, err error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	missing, err := index.Missing(bounded, s.Client, s.namespace)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%s missing; `modelvigil setup` creates them, and monitors are not found by phase or team until then", plain.CountIs(len(missing), "search attribute"))
	}
	return "all are there", err
}

func (s *server) examineQueue(ctx context.Context, name string, kind enumspb.TaskQueueType) (says string, err error) {
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := s.WorkflowService().DescribeTaskQueue(bounded, &workflowservice.DescribeTaskQueueRequest{
		Namespace: s.namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: name}, TaskQueueType: kind, ReportStats: true,
	})
	if err != nil {
		return "", s.explain(ctx, "", "", err)
	}

	workers := livingWorkers(answer.GetPollers(), time.Now())
	backlog := ""
	if stats := answer.GetStats(); stats.GetApproximateBacklogCount() > 0 {
		backlog = fmt.Sprintf(", %s since %v at most", plain.CountIs(int(stats.GetApproximateBacklogCount()), "task")+" waiting",
			stats.GetApproximateBacklogAge().AsDuration().Round(time.Second))
	}

	if len(workers) == 0 {
		return "", fmt.Errorf("no worker is there%s; start one with TASK_QUEUE=%s", backlog, s.settings.TaskQueue)
	}

	return plain.Count(len(workers), "worker") + backlog, nil
}

// livingWorkers are the identities of those who have asked for work of late.
func livingWorkers(pollers []*taskqueuepb.PollerInfo, now time.Time) map[string]bool {
	workers := map[string]bool{}
	for _, poller := range roll.Living(pollers, now) {
		workers[poller.GetIdentity()] = true
	}
	return workers
}

// examineBuilds looks for the workers of builds that monitors are pinned to.
func (s *server) examineBuilds(ctx context.Context, monitors []listedMonitor) (checks []check) {
	pinned := map[roll.Version][]string{}
	for _, m := range monitors {
		if m.pinnedTo != (roll.Version{}) {
			pinned[m.pinnedTo] = append(pinned[m.pinnedTo], m.ModelName)
		}
	}
	if len(pinned) == 0 {
		return nil
	}

	bounded, cancel := s.bounded(ctx)
	defer cancel()
	builds, err := roll.BuildsOf(bounded, s.Client, s.namespace, string(s.settings.TaskQueue))
	if err != nil {
		return []check{{"builds", false, s.explain(ctx, "", "", err).Error()}}
	}
	for version, models := range pinned {
		c := check{"build " + version.Build, true, plain.CountIs(len(models), "monitor") + " pinned to it, and it has workers"}
		if lack := builds.Lack(version); lack != "" {
			c.OK = false
			c.Says = fmt.Sprintf("%s waiting for it, such as that of %s: %s", plain.CountIs(len(models), "monitor"), plain.Text(models[0]), lack)
		}
		checks = append(checks, c)
	}
	return checks
}

// wantedBackends are the backends that the policies of monitors name, or that took their
// last retrainings, each with its models.
func wantedBackends(monitors []listedMonitor) map[string][]string {
	wanted := map[string][]string{}
	for _, m := range monitors {
		if m.Backend != "" {
			wanted[m.Backend] = append(wanted[m.Backend], m.ModelName)
		}
	}
	return wanted
}

// examineBackends opens what the worker's environment sets, and asks each. A backend
// that monitors want has to be there.
func (s *server) examineBackends(ctx context.Context, wanted map[string][]string) (checks []check) {
	environment := env.ToMap(os.Environ())
	var settings backends.Settings
	err := env.ParseWithOptions(&settings, env.Options{Environment: environment})
	var opened map[string]modelops.ModelOps
	if err == nil {
		opened, err = settings.Open(backends.Process{Environment: environment, Temporal: s.temporal, Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			checks = append(checks, check{"backends", false, fault})
		}
	}

	for _, name := range slices.Sorted(maps.Keys(opened)) {
		c := check{Name: "backend " + name, OK: true, Says: "has nothing to check"}
		if name == settings.Default {
			c.Name += ", the default"
		}
		checks = append(checks, s.examineOne(ctx, c, opened[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, isThere := opened[name]; !isThere && err == nil {
			models := wanted[name]
			says := fmt.Sprintf("is not in this environment, and the monitors of %s want it, such as %s; set it, or apply policies that name another",
				plain.Count(len(models), "model"), plain.Text(models[0]))
			checks = append(checks, check{"backend " + name, false, says})
		}
	}

	return checks
}

// examineChannels opens those of the worker's environment, and asks each.
func (s *server) examineChannels(ctx context.Context) (checks []check) {
	environment := env.ToMap(os.Environ())
	var settings notify.Settings
	err := env.ParseWithOptions(&settings, env.Options{Environment: environment})
	var notices activities.Notices
	if err == nil {
		notices, err = settings.Open(notify.Process{Environment: environment, Namespace: s.namespace, Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			checks = append(checks, check{"channels", false, fault})
		}
		return checks
	}

	for _, name := range slices.Sorted(maps.Keys(notices.Channels)) {
		checks = append(checks, s.examineOne(ctx, check{Name: "channel " + name}, notices.Channels[name].Channel))
	}
	return checks
}

// examineOne completes a check by what a backend or a channel says of itself.
func (s *server) examineOne(ctx context.Context, c check, of any) check {
	if checker, ok := of.(modelops.Checker); ok {
		bounded, cancel := s.bounded(ctx)
		defer cancel()
		c.OK = true
		c.Says = "ready"
		if err := checker.Check(bounded); err != nil {
			c.OK = false
			c.Says = err.Error()
		}
	}
	if closer, ok := of.(interface{ Close() }); ok {
		closer.Close()
	}

	return c
}

func printChecks(w io.Writer, checks []check) error {
	var faults []error
	for _, c := range checks {
		sign := "ok   "
		if !c.OK {
			sign = "MEND "
		}
		for i, line := range strings.Split(c.Says, "\n") {
			if i > 0 {
				sign = "     "
			}
			_, err := fmt.Fprintf(w, "%s %s: %s\n", sign, plain.Text(c.Name), plain.Text(line))
			faults = append(faults, err)
		}
	}

	return errors.Join(faults...)
}
