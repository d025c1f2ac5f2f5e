package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/document"
	"github.com/modelvigil/modelvigil/internal/plain"
	"github.com/modelvigil/modelvigil/monitor"
)

// prune stops the running monitors that an owner applied and that are in none of
// the documents, once somebody has said yes. Monitors of others are not touched.
func (s *server) prune(ctx context.Context, owner string, documents []document.Document, options applyOptions, in io.Reader, out io.Writer) error {
	kept := map[string]bool{}
	for _, d := range documents {
		kept[d.Model] = true
	}
	monitors, err := s.list(ctx, false)
	if err != nil {
		return err
	}

	var stray []string
	for _, m := range monitors {
		if m.Owner != owner || m.ModelName == "" || kept[m.ModelName] {
			continue
		}
		isOwned, err := s.isOwned(ctx, m.ModelName, owner)
		if err != nil {
			return err
		}
		if isOwned {
			stray = append(stray, m.ModelName)
		}
	}

	if len(stray) == 0 {
		_, _ = fmt.Fprintf(out, "nothing to prune: every monitor of %s is in the files\n", plain.Text(owner))
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
		if _, _, err := s.control(ctx, model, contract.UpdateStop, monitor.Control{By: owner, Reason: "pruned: in none of the files applied"}); err != nil {
			faults = append(faults, fmt.Errorf("prune %s: %w", plain.Text(model), err))
			continue
		}
		_, _ = fmt.Fprintf(out, "%s: stopped\n", plain.Text(model))
	}

	return errors.Join(faults...)
}

// isOwned asks a monitor's own record whether it runs and is an owner's: the list may be
// of before it was handed over to another.
func (s *server) isOwned(ctx context.Context, model, owner string) (bool, error) {
	info, err := s.find(ctx, model)
	if errors.Is(err, errNoMonitor) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	entry := s.listed(info)
	return entry.Closed.IsZero() && entry.Owner == owner, nil
}
