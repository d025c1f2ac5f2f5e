package whatif_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/backtest/whatif"
	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// script writes a history by hand. Times are counted from noon.
type script struct {
	t      *testing.T
	events []*historypb.HistoryEvent
}

func (s *script) add(at time.Duration, event *historypb.HistoryEvent) int64 {
	event.EventId, event.EventTime = int64(len(s.events)+1), timestamppb.New(noon.Add(at))
	s.events = append(s.events, event)
	return event.EventId
}

func (s *script) payloads(value any) *commonpb.Payloads {
	s.t.Helper()
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(value)
	require.NoError(s.t, err)
	return payloads
}

// begin starts a run; its argument is in JSON.
func (s *script) begin(argument, before string) {
	s.add(0, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			WorkflowId: "model-monitor/fraud", FirstExecutionRunId: "first", ContinuedExecutionRunId: before, Input: s.payloads(json.RawMessage(argument)),
		}},
	})
}

// task is one workflow task.
func (s *script) task(at time.Duration) {
	s.add(at, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED})
	s.add(at, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED})
	s.add(at, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED})
}

// event is a signal, and the task that takes it.
func (s *script) event(at time.Duration, accuracy float64) {
	event := fmt.Sprintf(`{"timestamp": %q, "model_name": "fraud", "model_version": "v1", "accuracy": %v}`, noon.Add(at).Format(time.RFC3339), accuracy)
	s.add(at, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			SignalName: contract.SignalMetric, Input: s.payloads(json.RawMessage(event)),
		}},
	})
	s.task(at)
}

// update is an update, and the task that carries it out.
func (s *script) update(at time.Duration, name, argument string) {
	s.task(at)
	s.add(at, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionUpdateAcceptedEventAttributes{WorkflowExecutionUpdateAcceptedEventAttributes: &historypb.WorkflowExecutionUpdateAcceptedEventAttributes{
			AcceptedRequest: &updatepb.Request{
				Meta:  &updatepb.Meta{UpdateId: fmt.Sprint(len(s.events))},
				Input: &updatepb.Input{Name: name, Args: s.payloads(json.RawMessage(argument))},
			},
		}},
	})
}

// activity is one that the last task has asked for, and the task that takes what it
// came back with.
func (s *script) activity(scheduled, ended time.Duration, name, requestID string, result any) {
	id := s.add(scheduled, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: name}, Input: s.payloads(activities.Call{Request: modelops.Request{RequestID: requestID}}),
		}},
	})
	s.add(ended, &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			ScheduledEventId: id, Result: s.payloads(result),
		}},
	})
	s.task(ended)
}

func (s *script) end(at time.Duration) {
	s.add(at, &historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED})
}

const request = "model-monitor/fraud/first/"

// recording triggers after 20 minutes; the training takes half an hour.
func recording(t *testing.T) *script {
	s := &script{t: t}
	s.begin(`{"policy": {"rules": [{"metric": "accuracy", "below": 0.9}]}}`, "")
	s.event(0, 0.95)
	s.event(10*time.Minute, 0.92)
	s.event(20*time.Minute, 0.8)
	s.activity(20*time.Minute, 21*time.Minute, "ScheduleRetraining", request+"1", modelops.Job{Backend: "webhook", Followed: true})
	s.activity(21*time.Minute, 50*time.Minute, "AwaitRetraining", request+"1", modelops.Outcome{State: modelops.Succeeded, ModelVersion: "v2"})
	s.update(60*time.Minute, contract.UpdateSetPolicy, `{"rules": [{"metric": "accuracy", "below": 0.5}], "cooldown": "1s"}`)
	s.update(61*time.Minute, contract.UpdateRetrain, `{"by": "ada", "reason": "labels"}`)
	s.activity(61*time.Minute, 62*time.Minute, "ScheduleRetraining", request+"2", modelops.Job{Backend: "log"})
	s.event(3*time.Hour, 0.8)
	s.end(4 * time.Hour)
	return s
}

// decide tells a what-if in lines: `20m triggered accuracy`.
func decide(t *testing.T, s *script, document string) (whatif.Answer, []string) {
	t.Helper()
	question := whatif.Question{ModelName: "fraud", RunID: "run"}
	if document != "" {
		parsed, err := policy.Decode([]byte(document))
		require.NoError(t, err)
		question.Policy = &parsed
	}
	answer, err := whatif.Decide(t.Context(), histories{"run": s.events}, question)
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
			answer, lines := decide(t, recording(t), test.policy)
			require.Equal(t, test.want, lines)
			require.Len(t, answer.Notes, len(test.notes))
			for i, note := range test.notes {
				require.Contains(t, answer.Notes[i], note)
			}
			require.Len(t, answer.Recorded, 5)
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
	s := &script{t: t}
	s.begin(fmt.Sprintf(`{"model_name": "fraud", "state": %s}`, state), "gone")
	s.task(0)
	s.activity(0, 5*time.Minute, "ScheduleRetraining", request+"1", modelops.Job{Backend: "log"})
	s.event(20*time.Minute, 0.8)
	s.end(2 * time.Hour)

	answer, lines := decide(t, s, `{"cooldown": "10m"}`)
	require.Equal(t, []string{"5m accepted", "20m triggered", "26m accepted"}, lines, "the second after the time that the first took: 6 minutes from its trigger")
	require.Len(t, answer.Recorded, 2)
	require.Equal(t, 1, answer.Runs)
	require.Equal(t, noon, answer.From)
}

func TestWhatIfOfAForgottenMonitor(t *testing.T) {
	_, err := whatif.Decide(t.Context(), histories{}, whatif.Question{ModelName: "fraud", RunID: "run"})
	require.ErrorIs(t, err, whatif.ErrNoHistory)
}
