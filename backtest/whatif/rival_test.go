package whatif_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

var (
	noon       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	retraining *activities.Retraining // names only
)

// script is a monitor's life in the SDK's test environment, whose time is skipped.
// Times are counted from noon.
type script struct {
	*testsuite.TestWorkflowEnvironment
}

func newScript(follow workflows.Follower) *script {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(noon)
	env.SetTestTimeout(patience.Limit) // of the clock on the wall, as is the next
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: patience.Limit,
		Interceptors:             []interceptor.WorkerInterceptor{replay.Following(follow)},
	})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID("fraud"), TaskQueue: contract.DefaultTaskQueue})
	env.RegisterWorkflowWithOptions(workflows.MonitorWorkflow, workflow.RegisterOptions{Name: contract.WorkflowType})
	env.RegisterActivity(&activities.Retraining{})
	env.RegisterActivityWithOptions(func(context.Context, workflows.Successor) (workflows.LastPolicy, error) {
		return workflows.LastPolicy{}, nil
	}, activity.RegisterOptions{Name: workflows.LastPolicyActivity})
	return &script{env}
}

func (s *script) event(at time.Duration, accuracy float64) {
	s.RegisterDelayedCallback(func() {
		s.SignalWorkflow(contract.SignalMetric, metric.Event{ModelName: "fraud", ModelVersion: "v1", Accuracy: metric.Some(accuracy)})
	}, at)
}

func (s *script) update(at time.Duration, name, argument string) {
	s.RegisterDelayedCallback(func() {
		s.UpdateWorkflow(name, fmt.Sprint(name, at), &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {},
		}, json.RawMessage(argument))
	}, at)
}

// schedules says what the next request for a retraining is answered, and after how long.
func (s *script) schedules(after time.Duration, job modelops.Job) {
	s.OnActivity(retraining.ScheduleRetraining, mock.Anything, mock.Anything).Return(job, nil).After(after).Once()
}

// run lives through a script that ends at a time by an operator's word.
func (s *script) run(end time.Duration, argument string) error {
	s.update(end, contract.UpdateStop, "{}")
	s.ExecuteWorkflow(contract.WorkflowType, json.RawMessage(argument))
	return s.GetWorkflowError()
}

// recording triggers after 20 minutes; the training takes half an hour.
func recording(follow workflows.Follower) error {
	s := newScript(follow)
	s.event(0, 0.95)
	s.event(10*time.Minute, 0.92)
	s.event(20*time.Minute, 0.8)
	s.schedules(time.Minute, modelops.Job{Backend: "webhook", Followed: true})
	s.OnActivity(retraining.AwaitRetraining, mock.Anything, mock.Anything).
		Return(modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"}, nil).After(29 * time.Minute).Once()
	s.update(60*time.Minute, contract.UpdateSetPolicy, `{"rules": [{"metric": "accuracy", "below": 0.5}], "cooldown": "1s"}`)
	s.update(61*time.Minute, contract.UpdateRetrain, `{"by": "ada", "reason": "labels"}`)
	s.schedules(time.Minute, modelops.Job{Backend: "log"})
	s.event(3*time.Hour, 0.8)
	return s.run(4*time.Hour, `{"policy": {"rules": [{"metric": "accuracy", "below": 0.9}]}}`)
}

// decide tells a what-if in lines: `20m triggered accuracy`.
func decide(t *testing.T, until time.Duration, play func(workflows.Follower) error, document string) (whatif.Answer, []string) {
	t.Helper()
	question := whatif.Question{ModelName: "fraud"}
	if document != "" {
		parsed, err := policy.Decode([]byte(document))
		require.NoError(t, err)
		question.Policy = &parsed
	}
	answer, err := whatif.DecideLife(question, noon, noon.Add(until), play)
	require.NoError(t, err)
	lines := []string{}
	for _, d := range answer.WhatIf {
		line := fmt.Sprintf("%s %s", policy.Duration(d.At.Sub(noon)), d.Kind)
		if d.SuppressedBy != "" {
			line += " " + string(d.SuppressedBy)
		}
		lines = append(lines, line)
	}
	return answer, lines
}

func TestWhatIf(t *testing.T) {
	tests := map[string]struct {
		policy string
		want   []string
		notes  []string
	}{
		"the policies as recorded": {
			want: []string{"20m triggered", "50m succeeded", "1h policy_changed", "1h1m triggered", "1h2m accepted"},
		},
		"a retraining earlier than recorded is answered after the same time": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.93}], "cooldown": "4h"}`,
			want:   []string{"10m triggered", "20m suppressed cooldown", "40m succeeded", "3h suppressed cooldown"},
			notes:  []string{"retrain by ada on 2026-03-01 13:01:00 UTC was not carried out in the what-if: retrain refused: in cooldown until 2026-03-01T16:10:00Z; use force to retrain now"},
		},
		"one that was not recorded is accepted, unless more have succeeded": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "cooldown": "30m", "superseded": "trigger"}`,
			want:   []string{"20m triggered", "50m succeeded", "1h1m triggered", "1h2m accepted", "3h triggered", "3h1m accepted"},
		},
		"time passes at its own wakes": {
			policy: `{"rules": [{"name": "slow decay", "metric": "accuracy", "stat": "mean", "period": "5m", "below": 0.85}]}`,
			want:   []string{"25m30s triggered", "55m30s succeeded", "3h5m30s suppressed superseded"},
			notes:  []string{"retrain by ada"},
		},
		"an approval that nobody was asked for is answered by its timeout": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "cooldown": "4h", "approval": {"required": true, "timeout": "5m", "on_timeout": "approve"}}`,
			want:   []string{"20m awaiting_approval", "25m approved", "25m triggered", "55m succeeded", "3h suppressed cooldown"},
			notes:  []string{"retrain by ada"},
		},
		"a dry run asks for nothing": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "dry_run": true}`,
			want:   []string{"20m held", "3h held"},
			notes:  []string{"retrain by ada"},
		},
		"a retraining that times out sooner than it was answered": {
			policy: `{"rules": [{"metric": "accuracy", "below": 0.9}], "cooldown": "4h", "retraining": {"timeout": "10m"}}`,
			want:   []string{"20m triggered", "30m timed_out", "3h suppressed cooldown"},
			notes:  []string{"retrain by ada"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answer, lines := decide(t, 4*time.Hour, recording, test.policy)
			require.Equal(t, append(test.want, "4h stopped"), lines)
			require.Len(t, answer.Notes, len(test.notes))
			for i, note := range test.notes {
				require.Contains(t, answer.Notes[i], note)
			}
			require.Len(t, answer.Recorded, 6)
			require.Equal(t, noon.Add(4*time.Hour), answer.Until)
		})
	}
}

// Of a monitor whose first runs are forgotten, both begin with what was handed on.
func TestWhatIfBeginsWithWhatTheServerStillRetains(t *testing.T) {
	m := monitor.NewMachine("fraud", "model-monitor/fraud/first", policy.Policy{})
	m.Observe(noon.Add(-time.Minute), &metric.Event{Timestamp: noon.Add(-time.Minute), ModelName: "fraud", ModelVersion: "v1", Accuracy: metric.Some(0.8)})
	m.Tick(noon.Add(-time.Minute))
	state, err := json.Marshal(m.State())
	require.NoError(t, err)
	play := func(follow workflows.Follower) error {
		s := newScript(follow)
		s.SetContinuedExecutionRunID("gone")
		s.schedules(5*time.Minute, modelops.Job{Backend: "log"})
		s.event(20*time.Minute, 0.8)
		return s.run(2*time.Hour, fmt.Sprintf(`{"model_name": "fraud", "state": %s}`, state))
	}

	answer, lines := decide(t, 2*time.Hour, play, `{"cooldown": "10m"}`)
	require.Equal(t, []string{"5m accepted", "20m triggered", "26m accepted", "2h stopped"}, lines, "the second after the time that the first took: 6 minutes from its trigger")
	require.Len(t, answer.Recorded, 3)
	require.Equal(t, noon, answer.From)
}

func TestWhatIfOfAForgottenMonitor(t *testing.T) {
	_, err := whatif.Decide(t.Context(), histories{}, whatif.Question{ModelName: "fraud", RunID: "run"})
	require.ErrorIs(t, err, whatif.ErrNoHistory)
}

// What a rule on drift breaches by is found by simulation, in a what-if as anywhere.
func TestAWhatIfFindsTheBoundsOfARateOfFalseAlarms(t *testing.T) {
	shifted := func(follow workflows.Follower) error {
		s := newScript(follow)
		for i := range 5 * 60 {
			accuracy := 0.93 + float64(i%10)/1000
			if i >= 3*60 {
				accuracy += 0.005
			}
			s.event(time.Duration(i)*time.Minute, accuracy)
		}
		return s.run(6*time.Hour, `{}`)
	}

	_, lines := decide(t, 6*time.Hour, shifted, `{"rules": [{"metric": "accuracy", "period": "1h", "false_alarms": "1 per 90d",
		"drift": {"statistic": "ks", "reference": {"from": "first", "samples": 60}}}], "cooldown": "24h"}`)

	require.NotEmpty(t, lines)
	require.Contains(t, lines[0], "4h0m30s triggered")
}

func TestRulesOfTheOtherPolicyThatHaveJudgedNothingAreNamed(t *testing.T) {
	answer, _ := decide(t, 4*time.Hour, recording, `{"rules": [
		{"name": "good", "metric": "accuracy", "below": 0.1},
		{"name": "mean", "metric": "accuracy", "stat": "mean", "period": "10m", "below": 0.1},
		{"name": "case", "metric": "Accuracy", "below": 0.1},
		{"name": "other", "metric": "auc", "stat": "mean", "period": "10m", "below": 0.1},
		{"name": "early", "metric": "accuracy", "stat": "mean", "period": "10m", "below_baseline_by": 0.1, "baseline": {"samples": 1000}},
		{"name": "old", "max_age": "300h"}
	]}`)

	require.Equal(t, []string{
		`rule "case" has judged nothing: no event measures "Accuracy"; did you mean accuracy?`,
		`rule "other" has judged nothing: no event measures "auc"; there are accuracy`,
		`rule "early" has judged nothing`,
	}, answer.Unjudged)
	require.Contains(t, answer.Text(), "\nwarning: rule \"early\" has judged nothing\n")

	answer, _ = decide(t, 4*time.Hour, recording, "")
	require.Empty(t, answer.Unjudged, "the policies as recorded are not asked about")
}
