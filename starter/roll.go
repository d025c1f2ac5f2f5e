package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/starter/roll"
)

// defaultReplayed is how many monitors are replayed before a roll. A kind of
// history that one in a hundred has is among them with a chance of 87 %.
const defaultReplayed = 200

// rolling is one call of roll.
type rolling struct {
	check, now         bool
	replayed, expected int
	to                 roll.Version // the build is empty with check
}

func newRollCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "roll BUILD_ID",
		Short: "Hand the monitors to another build of the workers",
		Long: `Hand the monitors to another build of the workers, without a break, where the workers run
with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID. Run modelvigil of the new release:
it replays the histories of monitors first, with the code that they are to go on with, asks
which state pinned ones will hand on to it, and rolls only if it can go on with all. Then it waits until the new workers poll, makes their
build the current one of the deployment, and says whom other builds still have: monitors
that are pinned hand on by themselves, within minutes. Once more, it says who is left, and
whose tasks fail. To roll back is to roll to the build of before, by modelvigil of that
release. A pinned monitor needs its own build to hand on: where that one's tasks fail, its
workers are gone, or the state that it hands on can't be read, --now takes monitors off it,
which go on by replay.

Which monitors there are is asked of the server's list, which may lag; whether one runs, and by
which build, of itself. --expect tells how many there are: roll waits until it has seen them.

--check replays and changes nothing; it needs no versioned workers. The exit code is 1 if a
monitor could not go on.`,
		Example: `  modelvigil roll --check
  modelvigil roll 2026-11-24-4f1c2ab
  modelvigil roll 2026-11-24-4f1c2ab --expect 120`,
		Args: atMostOneBuild,
	}

	timeout := timeoutFlag(command)
	flags := command.Flags()
	r := &rolling{}
	flags.BoolVar(&r.check, "check", false, "replay histories of running monitors with this build, and change nothing")
	flags.BoolVar(&r.now, "now", false, "pinned monitors go on with the build at their next task, by replay, in place of handing on by themselves")
	flags.IntVar(&r.replayed, "replay", defaultReplayed, "how many monitors to replay")
	flags.IntVar(&r.expected, "expect", 0, "how many monitors there are at least; if fewer are seen within the timeout, nothing is changed")
	flags.StringVar(&r.to.Deployment, "deployment", cmp.Or(os.Getenv("TEMPORAL_DEPLOYMENT_NAME"), "modelvigil"), "the workers' `name` of their deployment")
	command.RunE = func(command *cobra.Command, args []string) error {
		switch {
		case r.check == (len(args) == 1):
			return wrongUsage(errors.New("takes the BUILD_ID to roll to, or --check"))
		case r.replayed < 0:
			return wrongUsage(fmt.Errorf("flag --replay: must be 0 or more, got %d", r.replayed))
		case r.expected < 0:
			return wrongUsage(fmt.Errorf("flag --expect: must be 0 or more, got %d", r.expected))
		case r.check && r.now:
			return wrongUsage(errors.New("flag --now: is for a roll, not for --check"))
		case !r.check:
			r.to.Build = args[0]
		}

		s, err := connect(command, *timeout)
		if err != nil {
			return err
		}
		defer s.Close()
		return r.run(command.Context(), &roll.Fleet{
			Client: s.Client, Codec: s.codec(), Namespace: s.namespace, TaskQueue: string(s.settings.TaskQueue),
			Timeout: s.timeout, Expected: r.expected, Out: command.OutOrStdout(),
			Explain: func(ctx context.Context, err error) error { return s.explain(ctx, "", "", err) },
		})
	}

	return command
}

func (r *rolling) run(ctx context.Context, fleet *roll.Fleet) error {
	monitors, err := fleet.Monitors(ctx)
	if err != nil {
		return err
	}
	if r.replayed > 0 && !r.now { // with it, what they hand on this build has written
		err = fleet.CheckStates(ctx, monitors)
		if err != nil {
			return err
		}
	}
	err = fleet.Replay(ctx, monitors, r.replayed)
	if err != nil || r.check {
		return err
	}
	err = fleet.Switch(ctx, r.to)
	if err != nil {
		return err
	}

	monitors, err = fleet.Monitors(ctx) // some may have begun since
	if err == nil && r.now {
		err = fleet.Unpin(ctx, monitors, r.to)
		if err != nil {
			return err
		}
		monitors, err = fleet.Monitors(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s is the current build, but whom other builds still have is not known: %w", r.to.Build, err)
	}
	return fleet.Tell(ctx, monitors, r.to)
}

func atMostOneBuild(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return wrongUsage(fmt.Errorf("takes one BUILD_ID, got %d arguments", len(args)))
	}
	return nil
}
