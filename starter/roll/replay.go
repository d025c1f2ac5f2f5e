package roll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/workflows/replay"
)

// errCannotGoOn says that a history does not fit this program's code.
var errCannotGoOn = errors.New("can't go on with this build")

// Replay holds the histories of at most so many monitors, evenly over their names, against
// the workflow code of this program: pinned ones too, which must go on with it where they
// are taken off their pins. What those hand on otherwise, CheckStates asks.
func (f *Fleet) Replay(ctx context.Context, monitors []Monitor, most int) error {
	running := len(monitors)
	replayed := monitors
	if most < running {
		replayed = make([]Monitor, most)
		for i := range most {
			replayed[i] = monitors[i*running/most]
		}
	}

	var mu sync.Mutex
	var faults []error
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for _, m := range replayed {
		group.Go(func() error {
			err := f.replay(groupCtx, m)
			if errors.Is(err, errCannotGoOn) {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
				return nil
			}
			return err
		})
	}

	if err := group.Wait(); err != nil {
		return err
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("%w\n%d of %s replayed could not go on with this build; they can with the one that they run on",
			errors.Join(faults[:min(len(faults), 10)]...), len(faults), plain.Count(int64(len(replayed)), "monitor"))
	}

	_, err := fmt.Fprintf(f.Out, "%s of %d running replayed, and all can go on with this build\n", plain.Count(int64(len(replayed)), "monitor"), running)
	return err
}

// CheckStates says whether this program's build can read what pinned monitors will hand on to
// it. A run tells nothing of that before it ends: it began with what another build wrote, and
// hands on what its own does. So one of each build is asked which state it writes. Those
// whose tasks fail, or have no worker, hand on nothing.
func (f *Fleet) CheckStates(ctx context.Context, monitors []Monitor) error {
	builds, err := f.builds(ctx)
	if err != nil {
		return err
	}

	written := map[Version]int{}
	for _, m := range monitors {
		if _, isKnown := written[m.Version]; isKnown || !m.IsPinned || m.IsFailing || builds.Lack(m.Version) != "" {
			continue
		}
		version, err := f.stateOf(ctx, m)
		switch {
		case errors.Is(err, errNoAnswer):
			continue
		case err != nil:
			return err
		case version > monitor.StateVersion:
			return fmt.Errorf("monitors pinned to %s hand on a state of version %d, and this build reads up to %d: it could not begin what they continue as. "+
				"Stay with %[1]s, or take them off it by --now before they hand on; they go on by replay then",
				plain.Text(m.Build), version, monitor.StateVersion)
		}
		written[m.Version] = version
	}
	return nil
}

// errNoAnswer says that a monitor has ended, or has had no worker for seconds.
var errNoAnswer = errors.New("no answer")

// stateOf asks a monitor which version of the state it hands on.
func (f *Fleet) stateOf(ctx context.Context, m Monitor) (int, error) {
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	answer, err := f.Client.QueryWorkflow(bounded, m.WorkflowID, m.RunID, contract.QueryStatus)
	var status struct {
		StateVersion int `json:"state_version"` // of an older build's: none, which is 1
	}
	if err == nil {
		err = answer.Get(&status)
	}
	gone := new(serviceerror.NotFound)
	noWorker := new(serviceerror.FailedPrecondition)
	switch {
	case errors.As(err, &gone) || errors.As(err, &noWorker):
		return 0, errNoAnswer
	case ctx.Err() != nil:
		return 0, f.Explain(ctx, err)
	case err != nil:
		return 0, fmt.Errorf("ask the monitor of %q, which is pinned to %s, which state it hands on: %s; "+
			"where its workers have just ended, the server says so in a minute: roll again then; --replay 0 leaves this check out",
			plain.Text(m.ModelName), plain.Text(m.Build), plain.Text(err.Error()))
	}
	return status.StateVersion, nil
}

func (f *Fleet) replay(ctx context.Context, m Monitor) error {
	bounded, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	events, err := replay.Read(bounded, f.Client, m.WorkflowID, m.RunID)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return nil // it has ended, and was deleted, since it was seen
	case err != nil:
		return f.Explain(ctx, fmt.Errorf("read the history of %s: %w", plain.Text(m.WorkflowID), err))
	}

	if err := replay.GoesOn(m.WorkflowID, events, f.Codec); err != nil {
		return fmt.Errorf("the monitor of %q %w: %s", plain.Text(m.ModelName), errCannotGoOn, plain.Text(err.Error()))
	}

	return nil
}
