package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/monitor"
)

const (
	plainColumns = 80 // of a line, where Out is no terminal
	plainEvery   = 4  // windows a line, there
	// A streak of suppressed breaches is over that has not grown for so many windows:
	// while it lasts, there is one in every period of a rule at least.
	quietWindows = 4
)

// readWindows reads the serving process's lines until it ends.
func readWindows(lines io.Reader) <-chan Window {
	windows := make(chan Window)
	go func() {
		defer close(windows)
		if lines == nil {
			return
		}

		for scanner := bufio.NewScanner(lines); scanner.Scan(); {
			var w Window
			if json.Unmarshal(scanner.Bytes(), &w) == nil {
				windows <- w
			}
		}
	}()
	return windows
}

// watch shows what happens until the last concept's windows have come, and what was
// measured of them.
func (d *demo) watch(ctx context.Context) (*story, error) {
	s := &story{}
	v := &view{demo: d, diary: &diary{demo: d}}
	defer v.close()
	for len(s.windows) < windows {
		status, more, err := d.next(ctx, s)
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, fmt.Errorf("the serving process has ended after %d windows", len(s.windows))
		}
		v.show(s, status)
	}

	v.close()
	columns, _ := d.size()
	for _, line := range s.summary(columns) {
		d.say("%s", line)
	}
	return s, nil
}

// follow tells what is decided after the end, until ctx ends.
func (d *demo) follow(ctx context.Context, s *story) error {
	l := &diary{demo: d}
	l.skip(s.decisions)
	for {
		_, more, err := d.next(ctx, s)
		if err != nil || !more {
			return err
		}
		s.windows = s.windows[len(s.windows)-1:]
		s.alarms = nil
		l.tell(s.decisions)
	}
}

// next waits for a window, and asks the monitor what it knows.
func (d *demo) next(ctx context.Context, s *story) (status *monitor.Status, more bool, err error) {
	select {
	case w, open := <-d.windows:
		if err := d.parts.failed(); err != nil || !open {
			return nil, false, err
		}

		s.windows = append(s.windows, w)
		status, err := d.status(ctx)
		if err != nil {
			return nil, false, err
		}
		s.hear(status, time.Now())
		return status, true, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// status asks the monitor; it is patient while the worker starts.
func (d *demo) status(ctx context.Context) (*monitor.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	status := &monitor.Status{}
	answer, err := d.client.QueryWorkflow(ctx, contract.WorkflowID(ModelName), "", contract.QueryStatus)
	if err == nil {
		err = answer.Get(status)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the monitor of %s: %w", ModelName, err)
	}

	return status, nil
}

// size is how many columns and rows there are; rows are 0 where there is no end to them.
func (d *demo) size() (columns, rows int) {
	if d.Size == nil {
		return plainColumns, 0
	}
	return d.Size()
}

// diary tells decisions line by line, each once it is over.
type diary struct {
	*demo
	told     int   // entries that were told
	breaches int64 // of the streaks after the last notable decision, when they grew last
	quiet    int   // windows since then
}

// tell writes the entries that are over and were not told yet.
func (l *diary) tell(decisions []monitor.Decision) {
	all := entries(decisions)
	breaches := int64(0)
	for i := range all {
		if !all[i].isOver {
			breaches += all[i].Count
		}
	}

	l.quiet++
	if breaches != l.breaches {
		l.quiet = 0
		l.breaches = breaches
	}
	columns, _ := l.size()
	for ; l.told < len(all) && (all[l.told].isOver || l.quiet >= quietWindows); l.told++ {
		l.say("%s", fit(all[l.told].String(), columns))
	}
}

// skip passes over what is known already.
func (l *diary) skip(decisions []monitor.Decision) { l.told = len(entries(decisions)) }

// String is the entry on a line.
func (e entry) String() string {
	text := fmt.Sprintf("%s  %-10s ", e.At.Local().Format(time.TimeOnly), e.Kind)
	if e.ModelVersion != "" {
		text += " " + e.ModelVersion
	}
	switch {
	case e.SuppressedBy != "":
		text += fmt.Sprintf("  breaches: %d, %s", e.Count, strings.ReplaceAll(string(e.SuppressedBy), "_", " "))
	case e.Reason != "":
		text += "  " + e.Reason
	}

	return text
}

// fit cuts a text to so many columns. Each of its characters takes one.
func fit(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns {
		return text
	}
	return string(runes[:max(0, columns-1)]) + "…"
}

// view draws, or writes lines where there is no terminal.
type view struct {
	*demo
	diary  *diary
	isOpen bool
}

func (v *view) show(s *story, status *monitor.Status) {
	if v.Size != nil {
		v.draw(s, status)
		return
	}

	v.diary.tell(s.decisions)
	w := s.windows[len(s.windows)-1]
	if w.Number%plainEvery == 0 {
		v.say("%s  window %3d  accuracy %.3f  %s  %s", time.Now().Local().Format(time.TimeOnly), w.Number, w.Accuracy, w.Version, phase(status))
	}
}

// What a terminal takes: a screen apart from what stands there already, and back from
// it; the first column of the first row; what is left of a row, and of a screen, emptied.
const (
	openScreen  = "\x1b[?1049h\x1b[?25l"
	closeScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearRow    = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// draw redraws the terminal. Nothing stands after the last row, which would scroll.
func (v *view) draw(s *story, status *monitor.Status) {
	text := home
	if !v.isOpen {
		text = openScreen + home
		v.isOpen = true
	}
	columns, rows := v.size()
	text += strings.Join(v.frame(s, status, columns, rows), clearRow+"\r\n") + clearRow + clearBelow
	_, _ = fmt.Fprint(v.Out, text)
}

// close gives the terminal back as it was.
func (v *view) close() {
	if v.isOpen {
		_, _ = fmt.Fprint(v.Out, closeScreen)
		v.isOpen = false
	}
}

func phase(status *monitor.Status) string {
	return strings.ReplaceAll(string(status.Phase), "_", " ")
}
