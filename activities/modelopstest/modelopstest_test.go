package modelopstest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/modelopstest"
	"github.com/modelvigil/modelvigil/modelops"
)

func TestAGoodBackendIsConformant(t *testing.T) {
	m := &memory{}
	modelopstest.TestModelOps(t, m.harness(func() modelops.ModelOps { return good{m} }))
}

// doubles starts a job for every call.
type doubles struct{ good }

func (b doubles) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	name := uuid.NewString()
	_, _, err := b.m.create(name, request.RequestID)
	return modelops.Job{ID: name, Followed: true}, typed(err)
}

// forgetful knows in its own memory only what it has started.
type forgetful struct {
	good
	mu   *sync.Mutex
	seen map[string]modelops.Job
}

func (b forgetful) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if job, seen := b.seen[request.RequestID]; seen {
		return job, nil
	}
	job, err := doubles{b.good}.ScheduleRetraining(ctx, request)
	if err == nil {
		b.seen[request.RequestID] = job
	}
	return job, err
}

// trusting takes any job of the right name for its own.
type trusting struct{ good }

func (b trusting) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	_, _, err := b.m.create(request.RequestID, request.RequestID)
	return modelops.Job{ID: request.RequestID, Followed: true}, typed(err)
}

// despairing gives up for good at once, and tells with what token.
type despairing struct{ good }

func (b despairing) ScheduleRetraining(ctx context.Context, request modelops.Request) (modelops.Job, error) {
	job, err := b.good.ScheduleRetraining(ctx, request)
	if err != nil {
		err = modelops.Final(fmt.Errorf("with token %s: %w", token, err))
	}
	return job, err
}

// hopeful never gives up.
type hopeful struct{ good }

func (b hopeful) ScheduleRetraining(_ context.Context, request modelops.Request) (modelops.Job, error) {
	_, _, err := b.m.create(request.RequestID, request.RequestID)
	return modelops.Job{ID: request.RequestID, Followed: true}, err
}

func (b hopeful) RetrainingOutcome(ctx context.Context, request modelops.Request, job modelops.Job) (modelops.Outcome, error) {
	outcome, err := b.good.RetrainingOutcome(ctx, request, job)
	if modelops.IsFinal(err) {
		err = modelops.ErrRunning
	}
	return outcome, err
}

// ruthless ends whatever has the name.
type ruthless struct{ good }

func (b ruthless) CancelRetraining(_ context.Context, request modelops.Request, _ modelops.Job) error {
	b.m.end(request.RequestID, modelops.Outcome{State: modelops.Failed})
	return nil
}

// optimistic takes every end for a success, and tells of no version.
type optimistic struct{ good }

func (b optimistic) RetrainingOutcome(ctx context.Context, request modelops.Request, job modelops.Job) (modelops.Outcome, error) {
	_, err := b.good.RetrainingOutcome(ctx, request, job)
	return modelops.Outcome{State: modelops.Succeeded}, err
}

// patient refuses to end anything.
type patient struct{ good }

func (patient) CancelRetraining(context.Context, modelops.Request, modelops.Job) error {
	return errors.New("not now")
}

// broken are backends that must not pass, and the subtests that must say so.
var broken = map[string]struct {
	open func(*memory) func() modelops.ModelOps
	want []string
}{
	"a job for each call": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return doubles{good{m}} }
		},
		[]string{"asked_twice", "asked_again_after_a_restart", "asked_by_two_workers,_20_times_at_once", "asked_again_after_a_lost_answer", "asked_again_when_it_has_ended"},
	},
	"a memory of its own": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return forgetful{good{m}, &sync.Mutex{}, map[string]modelops.Job{}} }
		},
		[]string{"asked_again_after_a_restart", "asked_by_two_workers,_20_times_at_once", "asked_again_after_a_lost_answer"},
	},
	"any job of the name": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return trusting{good{m}} }
		},
		[]string{"a_job_that_carries_another_request_id_is_not_ours"},
	},
	"gives up, and tells its token": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return despairing{good{m}} }
		},
		[]string{"asked_again_after_a_lost_answer", "a_system_that_is_away_is_tried_again", "a_refusal_is_final", "a_system_that_asks_for_less_is_told_apart,_and_tried_again"},
	},
	"never gives up": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return hopeful{good{m}} }
		},
		[]string{"a_refusal_is_final", "one_that_is_not_there_any_more_is_final", "a_system_that_asks_for_less_is_told_apart,_and_tried_again"},
	},
	"ends whatever has the name": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return ruthless{good{m}} }
		},
		[]string{"leaves_a_stranger's_job_alone"},
	},
	"every end is a success": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return optimistic{good{m}} }
		},
		[]string{"to_its_success,_with_the_model_version_that_it_made", "to_its_failure,_with_the_reason"},
	},
	"cancels nothing": {
		func(m *memory) func() modelops.ModelOps {
			return func() modelops.ModelOps { return patient{good{m}} }
		},
		[]string{"ends_a_running_job,_and_may_be_asked_for_again", "of_what_was_never_begun_begins_nothing"},
	},
}

const brokenVariable = "MODELOPSTEST_BROKEN"

// TestBroken fails, in the process that TestABrokenBackendIsCaught starts.
func TestBroken(t *testing.T) {
	b, chosen := broken[os.Getenv(brokenVariable)]
	if !chosen {
		t.Skip("run by TestABrokenBackendIsCaught")
	}
	m := &memory{}
	h := m.harness(b.open(m))
	h.Timeout = 500 * time.Millisecond // what is broken does not come, however long it is waited for
	modelopstest.TestModelOps(t, h)
}

func TestABrokenBackendIsCaught(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v")
			cmd.Env = append(os.Environ(), brokenVariable+"="+name)
			out, err := cmd.CombinedOutput()
			var failed *exec.ExitError
			require.ErrorAs(t, err, &failed, "%s", out)
			for _, subtest := range b.want {
				assert.Regexp(t, `--- FAIL: TestBroken/[a-z_]+/`+regexp.QuoteMeta(subtest)+` `, string(out))
			}
			assert.NotContains(t, string(out), token)
		})
	}
}
