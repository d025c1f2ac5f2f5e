package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// startDemo runs the demo with a temporary folder of its own, so that what it
// leaves behind can be seen.
func startDemo(t *testing.T, args ...string) (p *process, temp string) {
	t.Helper()
	temp = t.TempDir()
	return start(t, starterPath, append([]string{"demo", "--temporal", temporalPath}, args...), "TMPDIR="+temp), temp
}

// nothingIsLeft says that no process and no file of the demo are there any more.
func nothingIsLeft(t *testing.T, temp string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	out, err := exec.Command("pgrep", "-f", temp).Output() // every part's arguments or files name it
	if err == nil {
		t.Errorf("processes are left: %s", out)
	}
}

func TestTheDemoShowsThreeDriftsCaughtAndHealed(t *testing.T) {
	t.Parallel()
	p, temp := startDemo(t, "--seed", "3")
	err := patience.Receive(t, "the demo ends", p.done)
	p.done <- err
	require.NoError(t, err, p.output.String())
	t.Log(p.output.String())
	triggered := regexp.MustCompile(`(?m)  triggered `).FindAllString(p.output.String(), -1)
	succeeded := regexp.MustCompile(`(?m)  succeeded `).FindAllString(p.output.String(), -1)
	assert.GreaterOrEqual(t, len(triggered), 3, "once a drift, and again where a slow machine takes longer than the cooldown to heal it")
	assert.GreaterOrEqual(t, len(succeeded), 3)
	assert.NotContains(t, p.output.String(), "\x1b", "what is no terminal takes lines alone")
	for line := range strings.Lines(p.output.String()) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 80, line)
	}
	nothingIsLeft(t, temp)
}

func TestTheDemoLeavesNothingBehindOnCtrlC(t *testing.T) {
	t.Parallel()
	p, temp := startDemo(t)
	patience.Until(t, "the demo shows windows", func() bool {
		return regexp.MustCompile(`window   4`).MatchString(p.output.String())
	})
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	err := patience.Receive(t, "the demo ends on Ctrl-C", p.done)
	p.done <- err
	require.NoError(t, err)
	assert.Contains(t, p.output.String(), "Ended. Nothing is left running.")
	nothingIsLeft(t, temp)
}

// Somebody watches the demo in a terminal as small as they come, looks around at its
// end, has the model retrained though no drift is left, and ends it with Ctrl-C.
func TestTheDemoFitsATerminalAndGoesOnWhenItIsKept(t *testing.T) {
	t.Parallel()
	const columns, rows = 80, 24
	temp := t.TempDir()
	command := exec.Command(starterPath, "demo", "--keep", "--temporal", temporalPath)
	command.Env = append(os.Environ(), "TMPDIR="+temp)
	tty, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: columns})
	require.NoError(t, err)
	// The screen is larger than the terminal that the demo is told of: what would have
	// been wrapped or scrolled there is seen here, beyond its last column or row.
	screen := vt.NewSafeEmulator(2*columns, 2*rows)
	ended := make(chan error, 1)
	shown := make(chan string, 1)
	go func() {
		beyond := ""
		for chunk := make([]byte, 1<<16); ; {
			n, err := tty.Read(chunk)
			_, _ = screen.Write(chunk[:n])
			if text := screen.String(); beyond == "" && !fits(text, columns, rows) {
				beyond = text
			}
			if err != nil {
				break
			}
		}
		shown <- beyond
		ended <- command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = tty.Close()
	})
	shows := func(pattern string) []string {
		t.Helper()
		found := regexp.MustCompile(pattern)
		patience.Until(t, "the terminal shows "+pattern, func() bool { return found.MatchString(screen.String()) })
		return found.FindStringSubmatch(screen.String())
	}

	shows(`accuracy 0\.\d+ \(green\)`)
	shows(`triggered +v1  accuracy`)
	shows(`suppressed +v1  breaches: \d`)
	shows(`http://127\.0\.0\.1:\d+/namespaces/default/workflows/model-monitor%2Fsea`)
	address := shows(`TEMPORAL_ADDRESS=(127\.0\.0\.1:\d+)`)[1]
	t.Log(screen.String())
	assert.Regexp(t, `Drift 2 moved x1: .* up from`, screen.String())
	assert.Regexp(t, `Drift 3 moved x2: .* up from`, screen.String())

	retrain := exec.Command(starterPath, "retrain", "sea", "--force", "--by", "ada", "--reason", "because I can")
	retrain.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+address)
	out, err := retrain.CombinedOutput()
	require.NoError(t, err, string(out))
	shows(`triggered +v4  because I can\s`)
	shows(`succeeded +v5  fitted on`)

	_, err = io.WriteString(tty, "\x03")
	require.NoError(t, err)
	assert.Empty(t, patience.Receive(t, "the terminal closes", shown), "beyond the terminal")
	require.NoError(t, patience.Receive(t, "the demo ends", ended))
	assert.Contains(t, screen.String(), "Ended. Nothing is left running.")
	nothingIsLeft(t, temp)
}

// fits says that a text is within so many columns and rows.
func fits(text string, columns, rows int) bool {
	lines := strings.Split(strings.TrimRight(text, " \n"), "\n")
	for _, line := range lines {
		if len([]rune(strings.TrimRight(line, " "))) > columns {
			return false
		}
	}
	return len(lines) <= rows
}
