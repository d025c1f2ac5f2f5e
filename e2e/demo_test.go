package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	p, temp := startDemo(t, "--seed", "3")
	select {
	case err := <-p.done:
		p.done <- err
		require.NoError(t, err, p.output.String())
	case <-time.After(5 * time.Minute):
		t.Fatal("the demo does not end:\n" + p.output.String())
	}
	t.Log(p.output.String())
	assert.Len(t, regexp.MustCompile(`(?m)  triggered `).FindAllString(p.output.String(), -1), 3)
	assert.Len(t, regexp.MustCompile(`(?m)  succeeded `).FindAllString(p.output.String(), -1), 3)
	nothingIsLeft(t, temp)
}

func TestTheDemoLeavesNothingBehindOnCtrlC(t *testing.T) {
	p, temp := startDemo(t)
	eventually(t, time.Minute, "the demo shows windows", func() bool {
		return regexp.MustCompile(`window   4`).MatchString(p.output.String())
	})
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-p.done:
		p.done <- err
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		t.Fatal("the demo does not end on Ctrl-C")
	}
	nothingIsLeft(t, temp)
}
