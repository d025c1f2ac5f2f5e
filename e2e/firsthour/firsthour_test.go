package firsthour

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// The README, from its first command to its last but two: `make demo` and `make test`,
// which have tests of their own, or are what this test is part of.
func TestTheREADMEWorksAsItIsTyped(t *testing.T) {
	n := sitDown(t)
	typed := slices.DeleteFunc(blocks(t, "README.md"), func(b block) bool { return strings.Contains(b.text, "make demo") })

	printed := outputs(typed, n.goes(t, typed))

	assert.Contains(t, printed("apply policy.yaml"), "accuracy 0.8300 below threshold 0.9000", "the breach triggers")
	assert.Contains(t, printed("curl "), `{"accepted":1`)
	decided := printed("backtest policy.yaml careful.yaml")
	assert.Regexp(t, `fraud is fine: 5 rules`, decided, "the examples are fine")
	assert.Regexp(t, `(?m)^decay +672 `, decided, "the recording is judged hour by hour")
	assert.Contains(t, decided, "awaiting approval", "the slow decay is found")
	assert.Contains(t, decided, "fraud: cooling down", "explain says what holds it back")
}

// The tutorial, whose trainer needs a package of Python.
func TestTheTutorialWorksAsItIsTyped(t *testing.T) {
	patience.Long(t)
	n := sitDown(t)
	typed := blocks(t, "docs/tutorial.md")
	n.installs(t, typed)

	printed := outputs(typed, n.goes(t, typed))

	assert.Contains(t, printed("modelvigil doctor"), "ok    backend webhook: ready")
	assert.Contains(t, printed("explain fraud"), "superseded by v7-retrained", "the trainer's version is the live one")
	assert.Contains(t, printed("whatif fraud"), "awaiting approval decay", "the other policy would have asked")
	assert.Contains(t, printed("approve fraud"), "awaiting approval")
	assert.Contains(t, printed("approve fraud"), "asked for, now retraining")
	assert.Regexp(t, "fraud: stopp(ed|ing; it ends when its retraining in flight is recorded)", printed("stop fraud"), "as quick as the trainer is")
}

// outputs finds what the block printed that holds a command.
func outputs(typed []block, printed []string) func(command string) string {
	return func(command string) string {
		for i, b := range typed {
			if b.language == "sh" && strings.Contains(b.text, command) {
				return printed[i]
			}
		}
		return "no block has the command " + command
	}
}

// installs lays the packages that documents install where pip finds them without a
// network, which these terminals don't have.
func (n *newcomer) installs(t *testing.T, typed []block) {
	t.Helper()
	wheels := t.TempDir()
	for _, b := range typed {
		for _, found := range regexp.MustCompile(`pip install (\S+)`).FindAllStringSubmatch(b.text, -1) {
			said(t, "python3", "-m", "pip", "download", "--quiet", "--dest", wheels, found[1])
		}
	}
	n.extra = append(n.extra, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+wheels)
}

func TestMain(m *testing.M) { patience.Main(m) }
