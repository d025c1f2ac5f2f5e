package modelopstest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/modelops"
)

// memory is a training system of one process: jobs by a name that clients choose.
type memory struct {
	mu                              sync.Mutex
	jobs                            []*job
	away, refuses, throttles, loses bool
}

type job struct {
	name, requestID string
	running         bool
	outcome         modelops.Outcome
}

const token = "hunter2"

var (
	errAway      = errors.New("no route to host")
	errForbidden = errors.New("forbidden")
	errBusy      = errors.New("too many requests")
	errTaken     = errors.New("the name is taken")
)

// create answers with the job of this name; isNew says that it was made by this call.
func (m *memory) create(name, requestID string) (_ *job, isNew bool, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault(); err != nil {
		return nil, false, err
	}
	if j := m.find(name); j != nil {
		return j, false, nil
	}
	j := &job{name: name, requestID: requestID, running: true}
	m.jobs = append(m.jobs, j)
	if m.loses {
		m.loses = false
		return nil, false, errAway
	}
	return j, true, nil
}

func (m *memory) fault() error {
	switch {
	case m.away:
		return errAway
	case m.refuses:
		return errForbidden
	case m.throttles:
		return errBusy
	}
	return nil
}

func (m *memory) find(name string) *job {
	for _, j := range m.jobs {
		if j.name == name {
			return j
		}
	}
	return nil
}

// end ends a job, if it is there and runs.
func (m *memory) end(name string, outcome modelops.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.find(name); j != nil && j.running {
		j.running, j.outcome = false, outcome
	}
}

func (m *memory) set(fault *bool) func(*testing.T) func() {
	flip := func(to bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		*fault = to
	}
	return func(*testing.T) func() {
		flip(true)
		return func() { flip(false) }
	}
}

// harness is all that the suite needs of such a system.
func (m *memory) harness(open func() modelops.ModelOps) modelopstest.Harness {
	return modelopstest.Harness{
		New: func(*testing.T) modelops.ModelOps { return open() },
		Jobs: func(_ *testing.T, requestID string) (n int) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, j := range m.jobs {
				if j.requestID == requestID {
					n++
				}
			}
			return n
		},
		Succeed: func(_ *testing.T, requestID, version string) {
			m.end(requestID, modelops.Outcome{State: modelops.Succeeded, ModelVersion: version})
		},
		Fail: func(_ *testing.T, requestID, message string) {
			m.end(requestID, modelops.Outcome{State: modelops.Failed, Message: message})
		},
		HasEnded: func(_ *testing.T, requestID string) bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			j := m.find(requestID)
			return j == nil || !j.running
		},
		Forget: func(_ *testing.T, requestID string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.find(requestID).name = "deleted"
		},
		Stranger: func(_ *testing.T, request modelops.Request) func() bool {
			_, _, _ = m.create(request.RequestID, "a stranger's")
			return func() bool {
				m.mu.Lock()
				defer m.mu.Unlock()
				return m.find(request.RequestID).running
			}
		},
		LoseAnswer: func(*testing.T) { m.set(&m.loses)(nil) },
		Away:       m.set(&m.away), Refuse: m.set(&m.refuses), Throttle: m.set(&m.throttles),
		Secrets: []string{token},
	}
}

// good is a backend as it should be; a broken one overrides a part of it.
type good struct{ m *memory }

func (g good) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	j, _, err := g.m.create(request.RequestID, request.RequestID)
	if err == nil && j.requestID != request.RequestID {
		err = modelops.Final(errTaken)
	}
	return modelops.Job{ID: request.RequestID, Followed: true}, typed(err)
}

func typed(err error) error {
	switch {
	case errors.Is(err, errForbidden):
		return modelops.Final(err)
	case errors.Is(err, errBusy):
		return modelops.RetryAfter(time.Second, err)
	}
	return err
}

func (g good) RetrainingOutcome(_ context.Context, _ modelops.Request, j modelops.Job) (modelops.Outcome, error) {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if err := g.m.fault(); err != nil {
		return modelops.Outcome{}, err
	}
	switch found := g.m.find(j.ID); {
	case found == nil:
		return modelops.Outcome{}, modelops.Final(fmt.Errorf("no job %s", j.ID))
	case found.running:
		return modelops.Outcome{}, modelops.ErrRunning
	default:
		return found.outcome, nil
	}
}

func (g good) CancelRetraining(_ context.Context, request modelops.Request, _ modelops.Job) error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if err := g.m.fault(); err != nil {
		return err
	}
	if j := g.m.find(request.RequestID); j != nil && j.requestID == request.RequestID {
		j.running = false
	}
	return nil
}
