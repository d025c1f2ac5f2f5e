package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"text/tabwriter"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

const (
	// costDuration sees a healthy model of the default policy report five times, and
	// be asked about once.
	costDuration = 5 * time.Minute
	// costModels is a fleet that a dev server carries beside anything else.
	costModels = 20
	// costReports is how many reports of a healthy model a measurement has to see.
	costReports = 2
)

// Cost is what healthy models cost a cluster: one model with one publisher, and each of
// a small fleet that one publisher has, both in the same time.
type Cost struct {
	Seconds     float64         `json:"seconds"`      // that were counted
	ReportEvery policy.Duration `json:"report_every"` // of the policy
	One         Share           `json:"one"`
	Fleet       Share           `json:"fleet"`
}

// Share is what some of the models cost.
type Share struct {
	Models  int    `json:"models"`
	Counted Counts `json:"counted"` // of all of them, in the time that was counted
	Day     Counts `json:"day"`     // of each of them, when a day goes on like that
}

// Counts are what a cluster does for monitors. Actions are what a hosted one bills of it,
// by https://docs.temporal.io/cloud/actions: each kind before it, and nothing after it.
type Counts struct {
	Signals       float64 `json:"signals"`
	Queries       float64 `json:"queries"`
	Timers        float64 `json:"timers"`
	Upserts       float64 `json:"upserts"` // of search attributes
	Runs          float64 `json:"runs"`    // started, each of them where an earlier one continues as new
	Activities    float64 `json:"activities"`
	Updates       float64 `json:"updates"`
	Actions       float64 `json:"actions"`
	HistoryEvents float64 `json:"history_events"`
	HistoryBytes  float64 `json:"history_bytes"`
}

// billed are the kinds of actions.
func (c *Counts) billed() []float64 {
	return []float64{c.Signals, c.Queries, c.Timers, c.Upserts, c.Runs, c.Activities, c.Updates}
}

// since is what has come to an earlier count, each multiplied by a factor.
func (c *Counts) since(earlier *Counts, factor float64) Counts {
	return Counts{
		Signals: (c.Signals - earlier.Signals) * factor, Queries: (c.Queries - earlier.Queries) * factor,
		Timers: (c.Timers - earlier.Timers) * factor, Upserts: (c.Upserts - earlier.Upserts) * factor,
		Runs: (c.Runs - earlier.Runs) * factor, Activities: (c.Activities - earlier.Activities) * factor,
		Updates: (c.Updates - earlier.Updates) * factor, Actions: (c.Actions - earlier.Actions) * factor,
		HistoryEvents: (c.HistoryEvents - earlier.HistoryEvents) * factor,
		HistoryBytes:  (c.HistoryBytes - earlier.HistoryBytes) * factor,
	}
}

// RunCost counts what healthy models cost that are watched by a policy, and cleans up as
// Run does. It counts for Options.Duration, by default 5 minutes, over one model and
// over Options.Models, by default 20. It fails where that is too short for the policy's
// report_every.
func RunCost(ctx context.Context, c client.Client, p policy.Policy, options Options) (cost Cost, err error) {
	if options.Duration <= 0 {
		options.Duration = costDuration
	}
	if options.Models <= 0 {
		options.Models = costModels
	}
	every := p.ReportInterval()
	if options.Duration < costReports*every {
		return cost, fmt.Errorf("count for %v: the policy has a healthy model reported every %v, of which %d have to be seen: give --duration %v or more",
			options.Duration, every, costReports, costReports*every)
	}

	r, end, err := begin(c, options)
	if err != nil {
		return cost, err
	}

	defer func() { err = end(err) }()

	one, fleet := r.newCosted("one", 1), r.newCosted("fleet", r.Models)
	hubs := []*hub.Hub{one.hub, fleet.hub}
	defer func() { err = errors.Join(err, closeAll(ctx, hubs)) }()

	publishing, endPublishing := context.WithCancel(ctx)
	var group errgroup.Group
	defer func() {
		endPublishing()
		err = errors.Join(err, group.Wait())
	}()
	for _, share := range []*costed{one, fleet} {
		if err := r.enrol(ctx, share.models, &p); err != nil {
			return cost, err
		}
		if err := r.raise(ctx, []*hub.Hub{share.hub}, share.models); err != nil {
			return cost, err
		}
		group.Go(func() error { return share.publish(publishing) })
	}

	cost.ReportEvery = policy.Duration(every)
	began := time.Now()
	if err := errors.Join(one.look(ctx, c), fleet.look(ctx, c)); err != nil {
		return cost, err
	}

	_, _ = fmt.Fprintf(r.Progress, "counting for %v what 1 and %d healthy models cost\n", r.Duration, r.Models)
	if err := pause(ctx, r.Duration); err != nil {
		return cost, err
	}

	earlier := [2]Counts{one.counts, fleet.counts}
	took := time.Since(began)
	if err := errors.Join(one.look(ctx, c), fleet.look(ctx, c)); err != nil {
		return cost, err
	}

	_, _ = fmt.Fprintln(r.Progress, "counted")
	cost.Seconds = took.Seconds()
	cost.One = one.share(&earlier[0], took)
	cost.Fleet = fleet.share(&earlier[1], took)
	return cost, nil
}

// costed are models whose cost is counted.
type costed struct {
	models  []string
	hub     *hub.Hub
	queries atomic.Int64 // of the hub
	first   []string     // runs of the monitors, from which on they are counted
	counts  Counts
}

// countingQueries is a client that counts them: no history tells of them.
type countingQueries struct {
	client.Client
	count *atomic.Int64
}

func (c countingQueries) QueryWorkflow(ctx context.Context, id, run, query string, args ...any) (converter.EncodedValue, error) {
	c.count.Add(1)
	return c.Client.QueryWorkflow(ctx, id, run, query, args...)
}

func (r *runner) newCosted(kind string, models int) *costed {
	share := &costed{models: r.models(kind, models), first: make([]string, models)}
	share.hub = hub.New(countingQueries{r.client, &share.queries}, r.hubOptions(0))
	return share
}

// enrol starts monitors by a policy.
func (r *runner) enrol(ctx context.Context, models []string, p *policy.Policy) error {
	for _, model := range models {
		input := workflows.Input{ModelName: model, Policy: p}
		if _, err := r.client.ExecuteWorkflow(ctx, hub.StartOptions(model, r.queue), contract.WorkflowType, input); err != nil {
			return fmt.Errorf("start the monitor of %s: %w", model, err)
		}
	}
	return nil
}

// publish gives each model a healthy event a second, until ctx ends. How many there are
// is nothing that the cluster sees.
func (s *costed) publish(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}

		for _, model := range s.models {
			if err := s.hub.Publish(ctx, healthy(model, i)); err != nil {
				return err
			}
		}
	}
}

// look counts all that the monitors have cost since the first look, and what the run has
// that was theirs then.
func (s *costed) look(ctx context.Context, c client.Client) error {
	s.counts = Counts{Queries: float64(s.queries.Load())}
	for i, model := range s.models {
		if s.first[i] == "" {
			described, err := c.DescribeWorkflowExecution(ctx, contract.WorkflowID(model), "")
			if err != nil {
				return fmt.Errorf("describe the monitor of %s: %w", model, err)
			}
			s.first[i] = described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		}

		for run := s.first[i]; run != ""; {
			next, err := s.counts.addRun(ctx, c, contract.WorkflowID(model), run)
			if err != nil {
				return fmt.Errorf("read the history of the monitor of %s: %w", model, err)
			}
			run = next
		}
	}

	for _, count := range s.counts.billed() {
		s.counts.Actions += count
	}
	return nil
}

// addRun counts a run, and returns the one that continues it; "" if none does.
func (c *Counts) addRun(ctx context.Context, temporal client.Client, id, run string) (next string, err error) {
	described, err := temporal.DescribeWorkflowExecution(ctx, id, run)
	if err != nil {
		return "", err
	}

	c.HistoryBytes += float64(described.GetWorkflowExecutionInfo().GetHistorySizeBytes())
	events := temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return "", err
		}
		c.add(event)
		next = event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return next, nil
}

// add counts an event of a history.
func (c *Counts) add(event *historypb.HistoryEvent) {
	c.HistoryEvents++
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		c.Signals++
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		c.Timers++
	case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		c.Upserts++
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		c.Runs++
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		c.Activities++
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		c.Updates++
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		if event.GetMarkerRecordedEventAttributes().GetMarkerName() == "LocalActivity" {
			c.Activities++
		}
	}
}

// share is what has come since an earlier look.
func (s *costed) share(earlier *Counts, took time.Duration) Share {
	return Share{
		Models: len(s.models), Counted: s.counts.since(earlier, 1),
		Day: s.counts.since(earlier, (24*time.Hour).Seconds()/took.Seconds()/float64(len(s.models))),
	}
}

// Print writes the cost for a person.
func (c Cost) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) }
	row("\tcounted, 1 model\ta day\tcounted, %d models\teach a day", c.Fleet.Models)
	columns := [4]Counts{c.One.Counted, c.One.Day, c.Fleet.Counted, c.Fleet.Day}
	for _, kind := range []struct {
		name string
		of   func(*Counts) float64
	}{
		{"signals", func(c *Counts) float64 { return c.Signals }},
		{"queries", func(c *Counts) float64 { return c.Queries }},
		{"timers", func(c *Counts) float64 { return c.Timers }},
		{"search attributes upserted", func(c *Counts) float64 { return c.Upserts }},
		{"runs", func(c *Counts) float64 { return c.Runs }},
		{"activities", func(c *Counts) float64 { return c.Activities }},
		{"updates", func(c *Counts) float64 { return c.Updates }},
		{"billed as actions, all of these", func(c *Counts) float64 { return c.Actions }},
		{"history events", func(c *Counts) float64 { return c.HistoryEvents }},
		{"bytes of history", func(c *Counts) float64 { return c.HistoryBytes }},
	} {
		row("%s\t%.0f\t%.0f\t%.0f\t%.0f", kind.name, kind.of(&columns[0]), kind.of(&columns[1]), kind.of(&columns[2]), kind.of(&columns[3]))
	}

	if err := table.Flush(); err != nil {
		return err
	}

	_, err := fmt.Fprintf(w, "\nCounted for %.0f s, one publisher, every model healthy and reported every %v.\n"+
		"What is rarer is not seen: a run hands on to the next within a day, and a breach goes at once.\n", c.Seconds, c.ReportEvery)
	return err
}
