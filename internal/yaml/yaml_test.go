package yaml_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/toll"
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
		assert.ErrorContains(t, err, "is there twice", text)
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

// mostOfAText is what a text may cost: a few aliases may stand for 400,000 values, at
// which the parser ends.
var mostOfAText = toll.Most{BytesPerByte: 5000, Bytes: 1 << 30, WorkPerByte: 50_000, Work: 8 << 30}

// bombs are short texts that stand for much.
func bombs() map[string]string {
	lists := "a0: &a0 [{}]\n"
	mappings := "a0: &a0 {x: 1}\n"
	for i := range 30 {
		nine := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", ")
		lists += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, nine)
		mappings += fmt.Sprintf("a%d: &a%d {<<: [%s]}\n", i+1, i+1, nine)
	}
	return map[string]string{
		"aliases of aliases":                lists,
		"merges of lists of lists":          lists + "x: {<<: *a30, y: 1}\n",
		"merges of mappings that merge":     mappings + "x: {<<: *a30, x: 2}\n",
		"a mapping that merges itself":      "x: &x {<<: *x, y: 1}\n",
		"a merge of many empty lists":       "x: {<<: [" + strings.Repeat("[],", 50_000) + "{}]}\n",
		"a merge of a list within a list":   "x: {<<: " + strings.Repeat("[", 5000) + "{a: 1}" + strings.Repeat("]", 5000) + ", a: 2}\n",
		"a merge in a mapping in a mapping": strings.Repeat("{<<: ", 3000) + "{a: 1}" + strings.Repeat("}", 3000),
	}
}

func TestNoShortTextCostsMuch(t *testing.T) {
	for name, text := range bombs() {
		t.Run(name, func(t *testing.T) {
			mostOfAText.Hold(t, len(text), func() { _, _ = yaml.ToJSON([]byte(text)) })
		})
	}
}

func FuzzToJSON(f *testing.F) {
	for _, text := range bombs() {
		f.Add([]byte(text[:min(len(text), 2000)]))
	}
	f.Add([]byte("base: &b {a: 1}\nx: {<<: *b, a: 3}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var object []byte
		var err error
		mostOfAText.Hold(t, len(text), func() { object, err = yaml.ToJSON(text) })
		if err == nil && !json.Valid(object) {
			t.Fatalf("%q becomes %q", text, object)
		}
	})
}

// The words of a parser help nobody who wrote a policy.
func TestAFaultSaysWhatIsWrongInWordsForItsWriter(t *testing.T) {
	for text, want := range map[string]string{
		"\nmodel: a: b\n":              "not YAML: line 2: a colon and a space stand inside a value",
		"rules:\n\t- a\n":              "not YAML: line 2: a value begins with a tab",
		"rules: [a\n":                  "not YAML: line 1: a list that begins with [",
		"rules: {a: 1\n":               "not YAML: line 1: a mapping that begins with {",
		"model: *fraud\n":              "*fraud names no anchor; a text that begins with * must be in quotes",
		"model: \"x\nrules: 3":         "not YAML: line 2: a text in quotes does not end",
		"a: 1\nb: 2\na: 3\nb: 4\n":     `not YAML: line 3: key "a" is there twice; line 4: key "b" is there twice`,
		"model: @fraud\n":              "a value begins with a tab, @, ` or %, which must be in quotes",
		"model: 'it's'\n":              "a text that holds quotes is not in quotes",
		"below: .nan\n":                "must be a finite number, got NaN",
		"note: |\n one\n two\nthree\n": "a line has no colon behind its key",
		"rules: - a\n":                 "an item that begins with - stands behind its key",
		"? [a]\n: 1\n":                 "a field's name must be a text",
		"model: &fraud [*fraud]\n":     "an anchor stands inside itself",
		"rules: {a: 1,, b: 2}\n":       "a value is missing",
		"- a\nb: 1\n":                  "are followed by something else that is indented alike",
		"model: \x01\n":                "it holds a control character",
		"cooldown: !!int soon\n":       "not YAML: cannot decode",
		"model: a\n  cooldown: 1h\n":   "or a line is indented too far",
	} {
		_, err := yaml.ToJSON([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}
