package release

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheVersionIsWhatTheLinkerWasToldElseWhatGoKnows(t *testing.T) {
	knows := func(version string) func() (*debug.BuildInfo, bool) {
		return func() (*debug.BuildInfo, bool) {
			return &debug.BuildInfo{Main: debug.Module{Version: version}}, true
		}
	}
	nothing := func() (*debug.BuildInfo, bool) { return nil, false }

	assert.Equal(t, "v1.4.0", of("v1.4.0", knows("v1.3.0")))
	assert.Equal(t, "v0.0.0-20261126-4f1c2ab", of("", knows("v0.0.0-20261126-4f1c2ab")))
	assert.Equal(t, "(devel)", of("", knows("")))
	assert.Equal(t, "(devel)", of("", nothing))
	assert.Regexp(t, `^modelvigil \S+ go\S+ \w+/\w+$`, Line("modelvigil"))
}
