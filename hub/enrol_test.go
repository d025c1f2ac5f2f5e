package hub

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// startingClient starts machines as a server starts monitors.
type startingClient struct {
	client.Client
	*fakeCarrier
}

func (c *startingClient) SignalWithStartWorkflow(ctx context.Context, _, _ string, batch any, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	var input struct {
		Policy policy.Policy `json:"policy"`
	}
	encoded, err := json.Marshal(args[0])
	if err == nil {
		err = json.Unmarshal(encoded, &input)
	}
	if err != nil {
		return nil, err
	}
	b := batch.(*metric.Batch)
	c.mu.Lock()
	if c.machines[b.ModelName] == nil {
		c.machines[b.ModelName] = monitor.NewMachine(b.ModelName, "run", input.Policy)
	}
	c.mu.Unlock()
	_, err = c.send(ctx, b)
	return startedRun{}, err
}

// startedRun is the run that a signal went to.
type startedRun struct{ client.WorkflowRun }

func (startedRun) GetRunID() string { return "run" }

func (c *startingClient) SignalWorkflow(ctx context.Context, _, _, _ string, batch any) error {
	b := batch.(*metric.Batch)
	c.mu.Lock()
	known := c.machines[b.ModelName] != nil
	c.mu.Unlock()
	if !known {
		return serviceerror.NewNotFound("workflow not found for ID: " + b.ModelName)
	}
	_, err := c.send(ctx, b)
	return err
}

func (c *startingClient) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	return nil, errors.New("no worker")
}

func TestTheFirstEventEnrolsAsTheOptionsSay(t *testing.T) {
	for enrolment, held := range map[Enrolment]bool{"": false, EnrolRetrain: false, EnrolObserve: true} {
		t.Run(string(enrolment), func(t *testing.T) {
			c := &startingClient{fakeCarrier: newFakeCarrier()}
			h := New(c, Options{Logger: quiet.Logger, Enrolment: enrolment})
			require.NoError(t, h.PublishDurable(t.Context(), breaching("fraud")))
			closeHub(t, h)
			status := c.status("fraud")
			assert.Equal(t, held, status.Policy.DryRun)
			assert.EqualValues(t, 1, status.Breaches)
			assert.Equal(t, !held, status.Retrainings.Requested == 1)
		})
	}
}

func TestWithoutEnrolmentAModelNeedsAMonitor(t *testing.T) {
	c := &startingClient{fakeCarrier: newFakeCarrier()}
	c.machine("known")
	h := New(c, Options{Logger: quiet.Logger, Enrolment: EnrolRefuse})
	require.NoError(t, h.PublishDurable(t.Context(), healthy("known")))
	require.NoError(t, h.Publish(t.Context(), healthy("unknown")))
	err := h.Flush(t.Context())
	require.ErrorIs(t, err, ErrNotEnrolled)
	require.ErrorContains(t, err, "no monitor of \"unknown\"; `modelvigil apply` a policy")
	var lost *NotDurableError
	require.ErrorAs(t, err, &lost)
	assert.Equal(t, map[string]int64{"unknown": 1}, lost.Events)
	require.ErrorIs(t, h.Close(t.Context()), ErrNotEnrolled, "who has only Close to ask is told, too")
	assert.EqualValues(t, 1, c.status("known").Events)
	assert.NotContains(t, c.machines, "unknown")
}

func TestAnUnknownEnrolmentStartsNothingAndIsLogged(t *testing.T) {
	var logged lockedText
	c := &startingClient{fakeCarrier: newFakeCarrier()}
	h := New(c, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil)), Enrolment: "maybe"})
	require.ErrorIs(t, h.PublishDurable(t.Context(), healthy("fraud")), ErrNotEnrolled)
	require.ErrorIs(t, h.Close(t.Context()), ErrNotEnrolled)
	assert.Equal(t, 1, strings.Count(logged.String(), `must be retrain, observe or refuse, got \"maybe\"`), logged.String())
}

func TestAnEnrolmentIsASetting(t *testing.T) {
	var e Enrolment
	require.NoError(t, e.UnmarshalText([]byte("observe")))
	assert.Equal(t, EnrolObserve, e)
	require.ErrorContains(t, e.UnmarshalText([]byte("maybe")), "must be retrain, observe or refuse")
	assert.Equal(t, EnrolObserve, e)
}

type lockedText struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}
