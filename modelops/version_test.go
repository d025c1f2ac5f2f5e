package modelops_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/modelops"
)

func TestAModelVersionIsATextOrANumber(t *testing.T) {
	tests := map[string]struct{ value, want, fault string }{
		"a text":                         {value: `"v8"`, want: "v8"},
		"a text with room around it":     {value: ` " v8\n" `, want: "v8"},
		"a number":                       {value: `8`, want: "8"},
		"a number as it is written":      {value: `1.10`, want: "1.10"},
		"a number as text":               {value: `"1.10"`, want: "1.10"},
		"a text that is encoded twice":   {value: `"\"v8\""`, want: "v8"},
		"a text that begins like a list": {value: `"[v8"`, want: "[v8"},
		"a commit that looks like one":   {value: `"1234e567"`, want: "1234e567"},
		"null":                           {value: `null`},
		"null as text":                   {value: `"null"`},
		"nothing":                        {value: ``},
		"a list":                         {value: `["v8"]`, fault: "model_version: must be a string or a number, got a list"},
		"an object":                      {value: `{"name": "v8"}`, fault: "model_version: must be a string or a number, got an object"},
		"a truth value":                  {value: `true`, fault: "model_version: must be a string or a number, got true or false"},
		"a list that is encoded twice":   {value: `"[8]"`, fault: "model_version: must be a string or a number, got a list"},
		"a truth value as text":          {value: `"false"`, fault: "model_version: must be a string or a number, got true or false"},
		"a text that is too long":        {value: `"` + strings.Repeat("v", 201) + `"`, fault: "model_version: must be 0 to 200 bytes of UTF-8, got 201 bytes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := modelops.Version(json.RawMessage(test.value))
			assert.Equal(t, test.want, got)
			if test.fault == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.fault)
		})
	}
}

func TestWhatIsReadAsAVersionIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 300, 300), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		got, err := modelops.VersionInText(text)
		if err != nil {
			assert.Empty(t, got)
			return
		}
		require.NoError(t, modelops.ValidateVersion(got))
		assert.Equal(t, strings.TrimSpace(got), got)
	})
}

func TestAnOutcomeOutlivesAVersionThatIsNone(t *testing.T) {
	outcome := modelops.Outcome{State: modelops.Succeeded, Message: "done"}
	assert.Equal(t, modelops.Outcome{State: modelops.Succeeded, Message: "done", ModelVersion: "8"}, outcome.WithVersion(modelops.Version(json.RawMessage("8"))))
	assert.Equal(t,
		modelops.Outcome{State: modelops.Succeeded, Message: "done (passed over: model_version: must be a string or a number, got a list)"},
		outcome.WithVersion(modelops.Version(json.RawMessage("[8]"))))
}
