package yaml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/yaml"
)

func TestAFieldOfOnesOwnWinsOverAMergedOne(t *testing.T) {
	for text, want := range map[string]string{
		"base: &b {a: 1, c: 2}\nx:\n  <<: *b\n  a: 3\n":                                `{"base":{"a":1,"c":2},"x":{"a":3,"c":2}}`,
		"base: &b {a: 1}\nx:\n  a: 3\n  <<: *b\n":                                      `{"base":{"a":1},"x":{"a":3}}`,
		"one: &one {a: 1}\ntwo: &two {a: 2, c: 2}\nx: {<<: [*one, *two], d: yes}\n":    `{"one":{"a":1},"two":{"a":2,"c":2},"x":{"a":1,"c":2,"d":true}}`,
		"one: &one {a: 1, b: 1}\ntwo: &two {<<: *one, a: 2}\nx: {<<: *two, c: 3}\n":    `{"one":{"a":1,"b":1},"two":{"a":2,"b":1},"x":{"a":2,"b":1,"c":3}}`,
		"x: {at: 2026-03-01, <<: {at: no, of: 1e3}}\n":                                 `{"x":{"at":"2026-03-01","of":1000}}`,
		"plain: &p {deep: {q: 1}}\nx: {<<: *p, deep: {r: 2}, text: 'a << b', none: ~}": `{"plain":{"deep":{"q":1}},"x":{"deep":{"r":2},"none":null,"text":"a << b"}}`,
	} {
		got, err := yaml.ToJSON([]byte(text))
		require.NoError(t, err, text)
		assert.JSONEq(t, want, string(got), text)
	}
}

func TestWhatIsWrittenTwiceIsAFault(t *testing.T) {
	for _, text := range []string{"a: 1\na: 2\n", "base: &b {a: 1}\nx:\n  <<: *b\n  c: 3\n  c: 4\n", "base: &b {a: 1, a: 2}\nx: {<<: *b, a: 3}\n"} {
		_, err := yaml.ToJSON([]byte(text))
		assert.ErrorContains(t, err, "already set in map", text)
	}
}

func TestMergesOfMergesAreBounded(t *testing.T) {
	var fields, text strings.Builder
	for i := range 1000 {
		fields.WriteString("f" + strings.Repeat("x", i) + ": 1, ")
	}
	text.WriteString("base: &b {" + fields.String() + "a: 1}\n")
	for i := range 1000 {
		text.WriteString("m" + strings.Repeat("x", i) + ": {<<: *b, a: 2}\n")
	}

	_, err := yaml.ToJSON([]byte(text.String()))

	assert.ErrorContains(t, err, "merge keys must bring at most 100000 fields")
}
