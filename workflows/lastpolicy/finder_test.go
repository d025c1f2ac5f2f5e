package lastpolicy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
	"github.com/modelvigil/modelvigil/workflows/lastpolicy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// recorded is a run as a server has it.
type recorded struct {
	model, id string
	started   time.Duration // after noon
	unlisted  bool
	events    []*historypb.HistoryEvent
}

// server is one of Temporal's, with lists and histories.
type server struct {
	runs []recorded
	down error

	mu      sync.Mutex
	queries []string
	asked   []time.Time
}

func (s *server) ListWorkflow(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, r.Query)
	s.asked = append(s.asked, time.Now())
	if s.down != nil {
		return nil, s.down
	}
	var response workflowservice.ListWorkflowExecutionsResponse
	for _, run := range s.runs {
		id := contract.WorkflowID(run.model)
		if !run.unlisted && strings.Contains(r.Query, "'"+strings.ReplaceAll(id, "'", `\'`)+"'") {
			response.Executions = append(response.Executions, &workflowpb.WorkflowExecutionInfo{
				Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: run.id}, StartTime: timestamppb.New(noon.Add(run.started)),
			})
		}
	}
	half := len(response.Executions) / 2 // a page at a time
	if len(r.NextPageToken) == 0 && half > 0 {
		return &workflowservice.ListWorkflowExecutionsResponse{Executions: response.Executions[:half], NextPageToken: []byte("more")}, nil
	}
	response.Executions = response.Executions[half:]
	return &response, nil
}

func (s *server) GetWorkflowHistory(_ context.Context, _, runID string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	i := slices.IndexFunc(s.runs, func(run recorded) bool { return run.id == runID })
	if i < 0 || s.runs[i].events == nil {
		return &iterator{gone: true}
	}
	return &iterator{events: s.runs[i].events}
}

type iterator struct {
	events []*historypb.HistoryEvent
	gone   bool
}

func (i *iterator) HasNext() bool { return i.gone || len(i.events) > 0 }

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if i.gone {
		return nil, serviceerror.NewNotFound("its retention is over")
	}
	event := i.events[0]
	i.events = i.events[1:]
	return event, nil
}

// writer writes events as a worker does.
type writer struct{ data converter.DataConverter }

var plain = writer{converter.GetDefaultDataConverter()}

func (w writer) payloads(value any) *commonpb.Payloads {
	payloads, err := w.data.ToPayloads(value)
	if err != nil {
		panic(err)
	}
	return payloads
}

func event(kind enumspb.EventType) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventType: kind, EventTime: timestamppb.New(noon)}
}

// started begins the history of a model's run with an argument.
func (w writer) started(model, firstRunID, continued, argument string) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	e.Attributes = &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
		WorkflowId: contract.WorkflowID(model), FirstExecutionRunId: firstRunID, ContinuedExecutionRunId: continued,
		Input: w.payloads(json.RawMessage(argument)),
	}}
	return e
}

// setPolicy is an update that was accepted, and what became of it.
func (w writer) setPolicy(id, policy string, fails bool) []*historypb.HistoryEvent {
	accepted, completed := event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
	accepted.Attributes = &historypb.HistoryEvent_WorkflowExecutionUpdateAcceptedEventAttributes{WorkflowExecutionUpdateAcceptedEventAttributes: &historypb.WorkflowExecutionUpdateAcceptedEventAttributes{
		ProtocolInstanceId: id, AcceptedRequest: &updatepb.Request{
			Meta: &updatepb.Meta{UpdateId: id}, Input: &updatepb.Input{Name: contract.UpdateSetPolicy, Args: w.payloads(json.RawMessage(policy))},
		},
	}}
	outcome := &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: w.payloads(1)}}
	if fails {
		outcome = &updatepb.Outcome{Value: &updatepb.Outcome_Failure{Failure: &failurepb.Failure{Message: "refused"}}}
	}
	completed.Attributes = &historypb.HistoryEvent_WorkflowExecutionUpdateCompletedEventAttributes{WorkflowExecutionUpdateCompletedEventAttributes: &historypb.WorkflowExecutionUpdateCompletedEventAttributes{
		Meta: &updatepb.Meta{UpdateId: id}, Outcome: outcome,
	}}
	return []*historypb.HistoryEvent{accepted, completed}
}

// looked is the marker of a run that has found a policy itself.
func (w writer) looked(policy string) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_MARKER_RECORDED)
	e.Attributes = &historypb.HistoryEvent_MarkerRecordedEventAttributes{MarkerRecordedEventAttributes: &historypb.MarkerRecordedEventAttributes{
		MarkerName: "LocalActivity",
		Details:    map[string]*commonpb.Payloads{"result": w.payloads(workflows.LastPolicy{RunID: "older", Ended: "failed", Policy: json.RawMessage(policy)})},
	}}
	return e
}

func continuedAs(runID string) *historypb.HistoryEvent {
	e := event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW)
	e.Attributes = &historypb.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes{
		WorkflowExecutionContinuedAsNewEventAttributes: &historypb.WorkflowExecutionContinuedAsNewEventAttributes{NewExecutionRunId: runID},
	}
	return e
}

var terminated = event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)

func find(t *testing.T, s *server, data converter.DataConverter) (workflows.LastPolicy, string) {
	t.Helper()
	found, err := lastpolicy.New(s, data).Find(t.Context(), workflows.Successor{WorkflowID: contract.WorkflowID("it's"), RunID: "self", FirstRunID: "self"})
	require.NoError(t, err)
	if found.Policy == nil {
		return found, ""
	}
	policy, err := policy.Decode(found.Policy)
	require.NoError(t, err)
	return found, policy.Cooldown.Or(0).String()
}

func TestTheLastPolicyIsTheOneInForceAtTheEndOfTheLastRun(t *testing.T) {
	const model = "it's" // it stands in a query
	state := monitor.NewMachine(model, "base", policy.Policy{Cooldown: metric.Some(policy.Duration(9 * time.Minute))})
	state.Remember(time.Time{}, "earlier", monitor.UpdateResult{})
	handed, err := json.Marshal(map[string]any{"model_name": model, "state": state.State()})
	require.NoError(t, err)
	withPolicy := plain.started(model, "a", "", `{"policy": {"cooldown": "5m"}}`)
	without := plain.started(model, "a", "", `{"model_name": "it's"}`)
	one := func(events ...*historypb.HistoryEvent) []recorded {
		return []recorded{{model: model, id: "a", events: events}, {model: model, id: "self", started: time.Hour}}
	}
	set := func(id, cooldown string) []*historypb.HistoryEvent {
		return plain.setPolicy(id, `{"cooldown": "`+cooldown+`"}`, false)
	}
	for name, c := range map[string]struct {
		runs            []recorded
		cooldown, ended string
	}{
		"its argument's": {one(withPolicy, terminated), "5m", "was terminated"},
		"the default":    {one(without, terminated), "1h", "was terminated"},
		"an update's": {
			one(slices.Concat([]*historypb.HistoryEvent{withPolicy}, set("1", "6m"), set("2", "7m"), []*historypb.HistoryEvent{terminated})...), "7m", "was terminated",
		},
		"not one of a failed update": {
			one(append([]*historypb.HistoryEvent{withPolicy}, plain.setPolicy("1", `{"cooldown": "6m"}`, true)...)...), "5m", "has ended",
		},
		"one that it found itself": {one(without, plain.looked(`{"cooldown": "8m"}`), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT)), "8m", "timed out"},
		"one that was set before it found another": {
			one(slices.Concat([]*historypb.HistoryEvent{without}, set("1", "6m"), []*historypb.HistoryEvent{plain.looked(`{"cooldown": "8m"}`)})...), "6m", "has ended",
		},
		"that of the state it was handed": {one(plain.started(model, "0", "before", string(handed)), terminated), "9m", "was terminated"},
		"not that of an update carried out by an earlier run": {
			one(append([]*historypb.HistoryEvent{plain.started(model, "0", "before", string(handed))}, set("earlier", "6m")...)...), "9m", "has ended",
		},
		"of the run that started last, not that was listed first": {
			[]recorded{
				{model: model, id: "old", events: []*historypb.HistoryEvent{plain.started(model, "old", "", `{"policy": {"cooldown": "1m"}}`)}},
				{model: model, id: "new", started: time.Minute, events: []*historypb.HistoryEvent{plain.started(model, "new", "", `{"policy": {"cooldown": "2m"}}`), terminated}},
				{model: model, id: "older", started: -time.Minute, events: []*historypb.HistoryEvent{plain.started(model, "older", "", `{"policy": {"cooldown": "3m"}}`)}},
				{model: model, id: "self", started: time.Hour},
			}, "2m", "was terminated",
		},
		"of the run that is not listed yet": {
			[]recorded{
				{model: model, id: "a", events: []*historypb.HistoryEvent{withPolicy, continuedAs("b")}},
				{model: model, id: "b", unlisted: true, events: []*historypb.HistoryEvent{plain.started(model, "a", "a", string(handed)), terminated}},
			}, "9m", "was terminated",
		},
		"not of a run whose argument made no sense": {
			[]recorded{
				{model: model, id: "a", events: []*historypb.HistoryEvent{withPolicy, terminated}},
				{model: model, id: "b", started: time.Minute, events: []*historypb.HistoryEvent{plain.started(model, "b", "", `{"colour": "red"}`), event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED)}},
			}, "5m", "was terminated",
		},
		"not of what was reset": {
			[]recorded{{model: model, id: "base", events: []*historypb.HistoryEvent{plain.started(model, "self", "", `{"policy": {"cooldown": "5m"}}`)}}}, "", "",
		},
		"none where history is gone":    {one(), "", ""},
		"none of a model never watched": {[]recorded{{model: model, id: "self"}, {model: "other", id: "x", events: []*historypb.HistoryEvent{withPolicy}}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, cooldown := find(t, &server{runs: c.runs}, plain.data)
			assert.Equal(t, c.cooldown, cooldown)
			assert.Equal(t, c.ended, found.Ended)
		})
	}
}

// sealing stands for encryption, whose codec leaves what it has no key for as it is
// and marks it.
type sealing struct{ hasKey bool }

func (sealing) Encode(payloads []*commonpb.Payload) (sealed []*commonpb.Payload, err error) {
	for _, p := range payloads {
		inner, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		slices.Reverse(inner)
		sealed = append(sealed, &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/encrypted")}, Data: inner})
	}
	return sealed, nil
}

func (s sealing) Decode(payloads []*commonpb.Payload) (opened []*commonpb.Payload, err error) {
	for _, p := range payloads {
		inner := proto.CloneOf(p)
		inner.Metadata[contract.MetadataUndecrypted] = []byte("no such key here")
		if s.hasKey {
			data := slices.Clone(p.Data)
			slices.Reverse(data)
			inner.Reset()
			err = errors.Join(err, proto.Unmarshal(data, inner))
		}
		opened = append(opened, inner)
	}
	return opened, err
}

func TestAnEncryptedPolicyIsReadOrTheLackOfItsKeyNamed(t *testing.T) {
	with := func(hasKey bool) converter.DataConverter {
		return converter.NewCodecDataConverter(plain.data, sealing{hasKey})
	}
	w := writer{with(true)}
	s := &server{runs: []recorded{{model: "it's", id: "a", events: append(
		[]*historypb.HistoryEvent{w.started("it's", "a", "", `{}`)}, w.setPolicy("1", `{"cooldown": "7m"}`, false)...)}}}
	_, cooldown := find(t, s, with(true))
	assert.Equal(t, "7m", cooldown)

	_, err := lastpolicy.New(s, with(false)).Find(t.Context(), workflows.Successor{WorkflowID: contract.WorkflowID("it's")})
	require.EqualError(t, err, "read the history of the last monitor, run a: argument: payload: no such key here")
}

func TestAServerThatDoesNotAnswerIsNamed(t *testing.T) {
	s := &server{down: errors.New("visibility is away")}
	_, err := lastpolicy.New(s, plain.data).Find(t.Context(), workflows.Successor{WorkflowID: "model-monitor/a"})
	require.EqualError(t, err, "look for earlier monitors: visibility is away")
}

// A server answers 10 lists a second, and everybody who lists anything has a part in
// them; 10,000 models may be watched from one moment to the next.
func TestModelsThatStartAtOnceAreAskedAboutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const models = 10_000
		s := &server{}
		f := lastpolicy.New(s, plain.data)
		began := time.Now()
		var all sync.WaitGroup
		for i := range models {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				_, err := f.Find(ctx, workflows.Successor{WorkflowID: contract.WorkflowID(fmt.Sprint("model-", i))})
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.Less(t, len(s.queries), models/90)
		assert.LessOrEqual(t, time.Since(began), 21*time.Second)
		for i := range s.asked[1:] {
			assert.GreaterOrEqual(t, s.asked[i+1].Sub(s.asked[i]), 200*time.Millisecond)
		}
	})
}

func TestOneModelIsAskedAboutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := lastpolicy.New(&server{}, plain.data).Find(t.Context(), workflows.Successor{WorkflowID: "model-monitor/a"})
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
	})
}
