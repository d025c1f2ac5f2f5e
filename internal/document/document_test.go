package document

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

func TestDocuments(t *testing.T) {
	two := policy.Policy{}.WithCooldown(2 * time.Hour)
	two.Rules = nil
	only := policy.Policy{}
	tests := map[string]struct {
		text   string
		models []string
		first  policy.Policy
	}{
		"one document":                         {"model_name: a\ncooldown: 2h\n", []string{"a"}, two},
		"many documents":                       {"model_name: a\n---\nmodel_name: b\n--- # the last\nmodel_name: c", []string{"a", "b", "c"}, only},
		"empty documents and comments":         {"# policies\n---\n\n---\n# nothing\n---\nmodel_name: a\n---\n...\n", []string{"a"}, only},
		"a document that begins at its marker": {"--- {model_name: a}\n--- {model_name: b}\n", []string{"a", "b"}, only},
		"a document after the end of another":  {"model_name: a\n...\nmodel_name: b\n", []string{"a", "b"}, only},
		"Windows line ends and a byte order":   {"\uFEFFmodel_name: a\r\n---\r\nmodel_name: b\r\n", []string{"a", "b"}, only},
		"JSON":                                 {`{"model_name": "a", "cooldown": "2h"}`, []string{"a"}, two},
		"JSON with tabs and surrogate pairs":   {"{\n\t\"model_name\": \"\\ud83d\\ude00\"\n}", []string{"😀"}, only},
		"JSON values one after the other":      {"{\"model_name\": \"a\"}\n{\"model_name\": \"b\"} {\"model_name\": \"c\"}", []string{"a", "b", "c"}, only},
		"JSON and YAML":                        {"{\"model_name\": \"a\"}\n---\nmodel_name: b", []string{"a", "b"}, only},
		"YAML in braces":                       {"{model_name: a, cooldown: 2h}", []string{"a"}, two},
		"three dashes within a word are no mark": {"model_name: a---b\nretraining: {params: {x: \"--- y\"}}", []string{"a---b"}, func() policy.Policy {
			p := policy.Policy{}
			p.Retraining.Params = map[string]json.RawMessage{"x": json.RawMessage(`"--- y"`)}
			return p
		}()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			documents, err := Read([]string{"-"}, strings.NewReader(test.text))
			require.NoError(t, err)
			var models []string
			for _, d := range documents {
				models = append(models, d.Model)
			}
			require.Equal(t, test.models, models)
			require.Equal(t, test.first, documents[0].Policy)
		})
	}
}

// lineNumber is tested by TestFaultsSayOnWhichLine.
var lineNumber = regexp.MustCompile(`^policy\.yaml:\d+: `)

func TestFaultsSayOnWhichLine(t *testing.T) {
	for name, c := range map[string]struct {
		text, fault string
	}{
		"a field":                     {"model_name: a\nrules:\n  - metric: m\n    below: 1\n  - metric: n\n    above: x\n", "standard input:6: document 1: rules[1].above: must be a number"},
		"a field that is left out":    {"model_name: a\nrules:\n  - metric: m\n    below: 1\n  - above: 2\n", "standard input:5: document 1: rules[1].name: must be"},
		"in the second document":      {"model_name: a\n---\nmodel_name: b\n\ncooldown: soon\n", "standard input:5: document 2: cooldown: must be a duration"},
		"in JSON after other JSON":    {"{\"model_name\": \"a\"}\n{\"model_name\": \"b\",\n \"cooldown\": 7}", "standard input:3: document 2: cooldown: must be a duration"},
		"a nested field":              {"model_name: a\nretraining:\n  timeout: 0s\n", "standard input:3: document 1: retraining.timeout: must be"},
		"of defaults":                 {"defaults: {team: [x]}\ncooldown: 1h\n", "standard input:1: document 1: defaults.team: unknown field"},
		"inherited, where it is from": {"defaults: {}\nverify: {within: 1s}\n---\nmodel_name: a\nrules: [{name: r, max_age: 1h}]\n", "(inherited from standard input: document 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]string{"-"}, strings.NewReader(c.text))
			require.ErrorContains(t, err, c.fault)
		})
	}
}

func TestDocumentsInheritDefaults(t *testing.T) {
	documents, err := Read([]string{"-"}, strings.NewReader(`
defaults: {}
cooldown: 2h
retraining: {backend: house, timeout: 12h}
---
defaults: {teams: [payments]}
cooldown: 3h
---
defaults: {models: [fraud-*]}
retraining: {backend: gpu}
---
model_name: fraud-v1
team: payments
---
model_name: churn
cooldown: 30m
`))
	require.NoError(t, err)
	require.Len(t, documents, 2, "defaults are no model's")
	fraud, churn := documents[0].Policy, documents[1].Policy
	require.Equal(t, metric.Some(policy.Duration(3*time.Hour)), fraud.Cooldown, "later defaults win over earlier ones")
	require.Equal(t, "gpu", fraud.Retraining.Backend)
	require.Equal(t, metric.Some(policy.Duration(12*time.Hour)), fraud.Retraining.Timeout, "retraining is merged field by field")
	require.Equal(t, metric.Some(policy.Duration(30*time.Minute)), churn.Cooldown, "a document's own field wins")
	require.Equal(t, "house", churn.Retraining.Backend)
}

func TestAFolderIsAllItsPolicies(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "b"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("model_name: a"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b", "c.json"), []byte(`{"model_name": "c"}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), []byte("no policy"), 0o600))
	documents, err := Read([]string{dir}, nil)
	require.NoError(t, err)
	require.Len(t, documents, 2)
	_, err = Read([]string{t.TempDir()}, nil)
	require.ErrorContains(t, err, "the folder has no *.yaml")
}

func TestFaultsOfDocumentsSayWhere(t *testing.T) {
	tests := map[string]struct {
		text   string
		faults []string // what each line begins with
	}{
		"nothing":                       {"", []string{"policy.yaml: has no document"}},
		"not UTF-8":                     {"model_name: \xff", []string{"policy.yaml: is not UTF-8"}},
		"not YAML, by line of the file": {"model_name: a\n---\nmodel_name: b\n  rules: [", []string{"policy.yaml: document 2: not YAML: line 4:"}},
		"a key twice":                   {"model_name: a\ncooldown: 1h\ncooldown: 2h", []string{`policy.yaml: document 1: not YAML: line 3: key "cooldown" is there twice`}},
		"a key twice in JSON":           {`{"model_name": "a", "model_name": "b"}`, []string{`policy.yaml: document 1: key "model_name" is there twice`}},
		"JSON that breaks off":          {"{\"model_name\": \"a\"}\n{\"model_name\"", []string{"policy.yaml: what follows its JSON document 1 on line 1"}},
		"a list":                        {"- model_name: a", []string{"policy.yaml: document 1: must be a mapping"}},
		"no model":                      {"cooldown: 1h", []string{"policy.yaml: document 1: model_name: must be 1 to 200 bytes"}},
		"a number for a model":          {"model_name: 2024", []string{"policy.yaml: document 1: model_name: must be a string, got 2024; put it in quotes"}},
		"null for a model":              {"model_name:", []string{"policy.yaml: document 1: model_name: must be a string, got null"}},
		"numbers that JSON can't write": {
			"model_name: a\nrules: [{metric: b, below: .nan}, {metric: c, above: -.inf}]",
			[]string{"policy.yaml: document 1: rules[0].below: must be a finite number, got .nan", "policy.yaml: document 1: rules[1].above: must be a finite number, got -.inf"},
		},
		"every fault of every document": {
			"model_name: \"\"\ncooldown: soon\n---\nmodel_name: a\nrule: []\nretraining: {timeout: 0s}",
			[]string{
				"policy.yaml: document 1: model_name: must be", "policy.yaml: document 1: cooldown: must be a duration",
				"policy.yaml: document 2: rule: unknown field", "policy.yaml: document 2: retraining.timeout: must be",
			},
		},
		"a model twice": {"model_name: a\n---\nmodel_name: b\n---\nmodel_name: a", []string{`policy.yaml: document 3: model_name: "a" has a policy already, in policy.yaml: document 1`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("policy.yaml", []byte(test.text), 0o600))
			_, err := Read([]string{"policy.yaml"}, nil)
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.faults), err)
			for i, fault := range test.faults {
				lines[i] = lineNumber.ReplaceAllString(lines[i], "policy.yaml: ")
				require.True(t, strings.HasPrefix(lines[i], fault), "%q begins with %q", lines[i], fault)
			}
		})
	}
}

func TestAModelIsRefusedTwiceOverSeveralFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"model_name": "a"}`), 0o600))
	_, err := Read([]string{path, "-"}, strings.NewReader("model_name: a"))
	require.EqualError(t, err, `standard input:1: document 1: model_name: "a" has a policy already, in `+path+": document 1")
}
