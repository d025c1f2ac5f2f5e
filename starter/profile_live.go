package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
)

// liveProfile are the flags of a profile that is made of what a monitor has seen.
type liveProfile struct {
	model, version string
	timeout        *time.Duration
}

func (l *liveProfile) addTo(command *cobra.Command) {
	command.Flags().StringVar(&l.model, "from-model", "", "the `MODEL` whose monitor's references are to be frozen, in place of DATA")
	command.Flags().StringVar(&l.version, "model-version", "", "which version's, beside --from-model; default the one heard of last")
	l.timeout = timeoutFlag(command)
	_ = command.RegisterFlagCompletionFunc("from-model", completeModels)
}

// arguments says what is wrong with DATA beside the flags.
func (l *liveProfile) arguments(command *cobra.Command, files []string) error {
	switch {
	case l.model == "" && len(files) == 0:
		return errors.New("name files of training data, or by --from-model a model that is watched")
	case l.model != "" && len(files) > 0:
		return errors.New("takes DATA or --from-model, got both")
	case l.model == "" && command.Flags().Changed("model-version"):
		return errors.New("--model-version has its place only beside --from-model")
	}
	return nil
}

// ask asks a model's monitor for what it has learnt, and notes what that lacks.
func (l *liveProfile) ask(command *cobra.Command) (*drift.Profile, error) {
	s, err := connect(command, *l.timeout)
	if err != nil {
		return nil, err
	}
	defer s.Close()

	asked := monitor.ProfileAsked{}
	if command.Flags().Changed("model-version") {
		asked.ModelVersion = &l.version
	}
	answer, err := s.profile(command.Context(), l.model, asked)
	if err != nil {
		return nil, err
	}
	noteProfiled(command.ErrOrStderr(), &answer)
	return answer.Profile, nil
}

// profile asks a model's monitor for what its drift rules have learnt.
func (s *server) profile(ctx context.Context, model string, asked monitor.ProfileAsked) (answer monitor.Profiled, err error) {
	found, err := s.find(ctx, model)
	if err != nil {
		return answer, err
	}

	err = s.query(ctx, model, found, &answer, contract.QueryProfile, []any{asked}, func(machine *monitor.Machine, _ time.Time) (any, error) {
		return machine.Profile(asked)
	})
	return answer, err
}

// noteProfiled tells of which version a profile is, and what it lacks.
func noteProfiled(w io.Writer, answer *monitor.Profiled) {
	_, _ = fmt.Fprintf(w, "note: what is learnt of %s of version %q\n",
		plain.Count(len(answer.Profile.Metrics)+len(answer.Profile.Categories), "distribution"), answer.ModelVersion)
	for _, a := range answer.Awaited {
		_, _ = fmt.Fprintf(w, "note: %s is left out: rule %s has %s\n", plain.Text(a.Name), plain.Text(a.Rule), a.Has)
	}
	for _, name := range answer.Profile.Names(false) {
		if answer.Profile.Reference(name, false).IsOneBin() {
			_, _ = fmt.Fprintf(w, "note: %s has one bin, as its readings are within a sketch's 2 %% of each other: no change of it within them would be seen; "+
				"make its profile of training data\n", plain.Text(name))
		}
	}
}
