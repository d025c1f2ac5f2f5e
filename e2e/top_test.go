package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// Somebody sits at a terminal, finds the model that waits among thirty, and lets it
// be retrained.
func TestTopShowsTheFleetAndSteersIt(t *testing.T) {
	t.Parallel()
	const queue, models = "top", 30
	trainer := startPipeline(t)
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+trainer.URL+"/retrainings", "MODELOPS_POLL_INTERVAL=100ms")
	mustStarter(t, queue, "model_name: top-waits\nteam: top-team\napproval: {required: true}\n", "apply", "-")
	var events strings.Builder
	for i := range models - 1 {
		fmt.Fprintf(&events, "{\"model_name\": \"top-%02d\", \"model_version\": \"v1\", \"accuracy\": 0.95}\n", i)
	}
	events.WriteString("{\"model_name\": \"top-waits\", \"model_version\": \"v1\", \"accuracy\": 0.5}\n")
	mustStarter(t, queue, events.String(), "publish", "--file", "-")
	// The visibility store is a moment behind the monitors.
	patience.Until(t, "all are listed, and the one that waits first", func() bool {
		var listed struct {
			Models []struct{ Phase contract.Phase }
		}
		err := json.Unmarshal([]byte(mustStarter(t, queue, "", "top", "--once", "--filter", "top-", "-o", "json")), &listed)
		return err == nil && len(listed.Models) == models && listed.Models[0].Phase == contract.PhaseAwaitingApproval
	})
	assert.Regexp(t, `top-waits +awaiting approval +top-team +v1 +awaiting approval`, mustStarter(t, queue, "", "top", "--once", "--filter", "top-team"))

	terminal := openTerminal(t, queue, "top", "--by", "ada")
	terminal.shows("awaiting approval")
	terminal.types("/top-team\r")
	terminal.shows(`with "top-team"`)
	terminal.shows("0.5") // it was asked what it measures
	terminal.types("\r")
	terminal.shows("no answer by then rejects the trigger that waits")
	terminal.types("\x1b") // leaves the details
	terminal.shows("COOLDOWN")
	terminal.types("a")
	terminal.shows("approve top-waits, by ada, because:")
	terminal.types("seen it\r")
	terminal.shows("top-waits: retraining")
	until(t, "top-waits", "it is retrained", func(s monitor.Status) bool { return s.Retrainings.Requested == 1 && s.Retrainings.Failed == 0 })
	decisions := status(t, "top-waits").Decisions
	assert.Contains(t, decisionsBy(decisions, "ada"), "seen it")
	terminal.types("q")
	require.NoError(t, <-terminal.ended)
}

func decisionsBy(decisions []monitor.Decision, by string) (reasons []string) {
	for _, d := range decisions {
		if d.By == by {
			reasons = append(reasons, d.Reason)
		}
	}
	return reasons
}

// terminal is a pseudo terminal with a starter in it, and what it shows.
type terminal struct {
	t      *testing.T
	screen *vt.SafeEmulator
	keys   io.Writer
	ended  chan error
}

func openTerminal(t *testing.T, taskQueue string, args ...string) *terminal {
	t.Helper()
	command := exec.Command(starterPath, args...)
	command.Env = append(os.Environ(), append(environment(taskQueue), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8")...)
	tty, err := pty.StartWithSize(command, &pty.Winsize{Rows: 24, Cols: 140})
	require.NoError(t, err)
	term := &terminal{t, vt.NewSafeEmulator(140, 24), tty, make(chan error, 1)}
	copied := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(term.screen, tty); copied <- struct{}{} }()
	go func() { _, _ = io.Copy(tty, term.screen); copied <- struct{}{} }() // what a terminal is asked it answers
	go func() { term.ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = tty.Close()
		_ = term.screen.Close()
		<-copied
	})
	return term
}

func (term *terminal) types(text string) {
	term.t.Helper()
	_, err := io.WriteString(term.keys, text)
	require.NoError(term.t, err)
}

func (term *terminal) shows(text string) {
	term.t.Helper()
	patience.Until(term.t, "the terminal shows "+text, func() bool { return strings.Contains(term.screen.String(), text) })
}
