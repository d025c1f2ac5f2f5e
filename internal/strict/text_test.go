package strict_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/internal/strict"
)

func TestAVersionIsATextOrANumberAndNothingElse(t *testing.T) {
	for text, want := range map[string]struct{ version, fault string }{
		`"v7"`:     {"v7", ""},
		`7`:        {"7", ""},
		`7.10`:     {"7.10", ""},
		`-1e3`:     {"-1e3", ""},
		`null`:     {"", ""},
		`true`:     {"", "version: must be a string or a number, got true or false"},
		`["v7"]`:   {"", "version: must be a string or a number, got a list"},
		`{"v": 7}`: {"", "version: must be a string or a number, got an object"},
		`1e999`:    {"", "version: number 1e999 is out of range"},
	} {
		var version strict.TextOrNumber
		err := strict.Decode([]byte(`{"version": `+text+`}`), "", strict.Fields{"version": &version})
		if want.fault == "" {
			assert.NoError(t, err, text)
			assert.EqualValues(t, want.version, version)
			continue
		}
		assert.EqualError(t, err, want.fault, text)
	}
}
