package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/starter/roll"
)

// prune stops the running monitors that an owner applied and that are in none of
// the documents, once somebody has said yes. Monitors of others are not touched.
func (s *server) prune(ctx context.Context, owner string, documents []document.Document, options applyOptions, in io.Reader, out io.Writer) error {
	kept := map[string]bool{"": true} // who has no model's name is no monitor of ours
	for _, d := range documents {
		kept[d.Model] = true
	}
	listed, err := s.listedBy(ctx, roll.MayRun())
	if err != nil {
		return err
	}

	others := slices.DeleteFunc(listed, func(m listedMonitor) bool { return kept[m.ModelName] })
	stray, err := s.owned(ctx, others, owner)
	if err != nil {
		return err
	}

	if len(stray) == 0 {
		_, _ = fmt.Fprintf(out, "nothing to prune: every monitor of %s that the server lists is in the files, or stopping already\n", plain.Text(owner))
		return nil
	}

	_, _ = fmt.Fprintf(out, "%s in none of the files, but applied by %s:\n", plain.CountIs(len(stray), "monitor"), plain.Text(owner))
	for _, model := range stray {
		_, _ = fmt.Fprintf(out, "  %s\n", plain.Text(model))
	}
	if options.dryRun {
		_, _ = fmt.Fprintln(out, "they would be stopped")
		return nil
	}

	if !options.yes {
		if !isTerminal(in) {
			return errors.New("pruning asks before it stops monitors, and standard input is no terminal; add --yes once you have read the list above")
		}

		_, _ = fmt.Fprint(out, "stop them for good? [y/N] ")
		answer, _ := bufio.NewReader(in).ReadString('\n')
		answer = strings.ToLower(strings.TrimSpace(answer))
		if answer != "y" && answer != "yes" {
			_, _ = fmt.Fprintln(out, "nothing is stopped")
			return nil
		}
	}

	var faults []error
	for _, model := range stray {
		said, err := s.pruneOne(ctx, model, owner)
		if err != nil {
			faults = append(faults, fmt.Errorf("prune %s: %w", plain.Text(model), err))
			continue
		}
		_, _ = fmt.Fprintln(out, said)
	}

	return errors.Join(faults...)
}

// pruneOne stops a monitor, unless it was handed over or has ended since somebody was
// asked, and says what it did.
func (s *server) pruneOne(ctx context.Context, model, owner string) (string, error) {
	isOwned, err := s.isOwned(ctx, model, owner)
	if err != nil {
		return "", err
	}
	if !isOwned {
		return fmt.Sprintf("%s: left alone; by now it is stopping, has ended, or is no longer by a policy of %s", plain.Text(model), plain.Text(owner)), nil
	}

	result, stopped, err := s.control(ctx, model, contract.UpdateStop, monitor.Control{By: owner, Reason: "pruned: in none of the files applied"})
	return told(model, contract.UpdateStop, result, stopped), err
}

// owned are the models of those monitors that run, are an owner's and aren't stopping yet.
// A list may be of before a monitor ended, or was handed over by one owner to another, so
// each of them is asked.
func (s *server) owned(ctx context.Context, monitors []listedMonitor, owner string) (models []string, err error) {
	isOwned := make([]bool, len(monitors))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxApplying)
	for i, m := range monitors {
		group.Go(func() (err error) {
			isOwned[i], err = s.isOwned(groupCtx, m.ModelName, owner)
			return err
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, m := range monitors {
		if isOwned[i] {
			models = append(models, m.ModelName)
		}
	}
	return models, nil
}

// isOwned asks a monitor's own record whether it runs, is an owner's and isn't stopping yet.
func (s *server) isOwned(ctx context.Context, model, owner string) (bool, error) {
	info, err := s.find(ctx, model)
	if errors.Is(err, errNoMonitor) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entry := s.listed(info)
	return entry.Closed.IsZero() && entry.Owner == owner && entry.Phase != contract.PhaseStopping, nil
}
