package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

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
	nothingIsLeft(t, temp)
}

func TestTheDemoLeavesNothingBehindOnCtrlC(t *testing.T) {
	t.Parallel()
	p, temp := startDemo(t)
	patience.Until(t, "the demo shows windows", func() bool {
		return regexp.MustCompile(`window   4`).MatchString(p.output.String())
	})
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	p.done <- patience.Receive(t, "the demo ends on Ctrl-C", p.done)
	nothingIsLeft(t, temp)
}
