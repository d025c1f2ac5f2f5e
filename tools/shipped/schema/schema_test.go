package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/modelvigil/modelvigil/policy"
)

const (
	checkedIn = "../../../docs/policy.schema.json"
	examples  = "../../../examples/policies"
)

func TestTheCheckedInSchemaIsTheOneThatIsGenerated(t *testing.T) {
	generated, err := generate()
	require.NoError(t, err)
	file, err := os.ReadFile(checkedIn)
	require.NoError(t, err)
	require.Equal(t, string(generated), string(file), "policy's types have changed: go run . > %s", checkedIn)
}

// compiled is the checked-in schema, as a validator of draft 2020-12 reads it.
func compiled(t *testing.T) *validator.Schema {
	file, err := os.ReadFile(checkedIn)
	require.NoError(t, err)
	document, err := validator.UnmarshalJSON(bytes.NewReader(file))
	require.NoError(t, err)
	compiler := validator.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("policy.schema.json", document))
	schema, err := compiler.Compile("policy.schema.json")
	require.NoError(t, err)
	return schema
}

func check(t *testing.T, schema *validator.Schema, wire []byte) error {
	value, err := validator.UnmarshalJSON(bytes.NewReader(wire))
	require.NoError(t, err, string(wire))
	return schema.Validate(value)
}

func TestTheExamplesFollowTheSchema(t *testing.T) {
	schema := compiled(t)
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(text), "\n")
		named, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		require.True(t, ok, "%s begins with the line by which editors find the schema", file)
		assert.Equal(t, filepath.Clean(checkedIn), filepath.Join(filepath.Dir(file), named), file)
		for i, part := range strings.Split("\n"+string(text), "\n---\n") {
			wire, err := yaml.YAMLToJSONStrict([]byte(part))
			require.NoError(t, err)
			assert.NoError(t, check(t, schema, wire), "%s: document %d", file, i+1)
		}
	}
}

// Every property says what it is, in words that a policy has.
func TestEveryFieldIsDescribedInWireWords(t *testing.T) {
	s, err := document()
	require.NoError(t, err)
	objects := map[string]bool{}
	goWord := regexp.MustCompile(`\b[A-Z][a-z]{2,}[A-Z]\w*`)
	for name, def := range s.Definitions {
		for pair := def.Properties.Oldest(); pair != nil; pair = pair.Next() {
			objects[name] = true
			assert.Regexp(t, `\.$`, pair.Value.Description, "%s.%s", name, pair.Key)
			assert.NotRegexp(t, goWord, pair.Value.Description, "%s.%s", name, pair.Key)
		}
	}
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		assert.NotEmpty(t, pair.Value.Description, pair.Key)
	}
	assert.Len(t, objects, 12)
	for name := range descriptions {
		object, field, _ := strings.Cut(name, ".")
		def := s.Definitions[object]
		if object == "Policy" {
			def = s
		}
		_, ok := def.Properties.Get(field)
		assert.True(t, ok, "%s is described, but is no field", name)
	}
}

// decodes says what policy makes of a document, without the model's name.
func decodes(t *testing.T, wire string) error {
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(wire), &fields))
	delete(fields, "model_name")
	rest, err := json.Marshal(fields)
	require.NoError(t, err)
	_, err = policy.Decode(rest)
	return err
}

// What is shown to the schema is shown to the decoder too: each takes, or each
// refuses it.
func TestTheSchemaAgreesWithTheDecoder(t *testing.T) {
	schema := compiled(t)
	require.Greater(t, len(documents), 80)
	for name, c := range documents {
		t.Run(name, func(t *testing.T) {
			wire := `{"model_name": "m", ` + c.fields + `}`
			if c.rule {
				wire = `{"model_name": "m", "rules": [{` + c.fields + `}, {"name": "other", "metric": "m", "above": 1}]}`
			}
			schemaErr, decoderErr := check(t, schema, []byte(wire)), decodes(t, wire)
			if c.fine {
				assert.NoError(t, schemaErr, wire)
				assert.NoError(t, decoderErr, wire)
			} else {
				assert.Error(t, schemaErr, wire)
				assert.Error(t, decoderErr, wire)
			}
		})
	}
}

func TestWhatTheMachineWritesFollowsTheSchema(t *testing.T) {
	schema := compiled(t)
	for name, c := range documents {
		if !c.fine || c.rule {
			continue
		}
		policy, err := policy.Decode([]byte(`{` + c.fields + `}`))
		require.NoError(t, err, name)
		written, err := json.Marshal(policy.WithDefaults())
		require.NoError(t, err)
		assert.NoError(t, check(t, schema, []byte(`{"model_name": "m", `+string(written[1:]))), name)
	}
}

// What the decoder takes, and the schema doesn't: values that mean "left out".
func TestTheSchemaRefusesValuesThatMeanLeftOut(t *testing.T) {
	schema := compiled(t)
	for _, fields := range []string{
		`"cooldown": null`, `"superseded": ""`, `"rules": null`, `"retraining": {"priority": 0}`, `"verify": {"min_samples": 0}`,
	} {
		wire := `{"model_name": "m", ` + fields + `}`
		assert.Error(t, check(t, schema, []byte(wire)), wire)
		assert.NoError(t, decodes(t, wire), wire)
	}
}

// What the decoder refuses, and no schema can say.
func TestTheDecoderRefusesMore(t *testing.T) {
	schema := compiled(t)
	for _, fields := range []string{
		`"cooldown": "9000h"`,
		`"rules": [{"metric": "a", "above": 1}, {"metric": "a", "above": 2}]`,
		`"rules": [{"name": "x", "not": "y"}]`,
		`"rules": [{"name": "x", "not": "x"}]`,
		`"rules": [{"metric": "a", "above": 1, "clear_above": 2, "stat": "mean", "period": "1h"}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "1h", "datapoints": {"breaching": 3, "of": 2}}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "1m", "grace": "11m"}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "745h"}]`,
		`"rules": [{"metric": "a", "above_baseline_by": 1, "stat": "mean", "period": "1h", "baseline": {"from": "trailing", "periods": 4, "season": "90m"}}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "1h", "offset": "1h"}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "1h", "zone": "Europe/Berlin"}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "mean", "period": "24h", "zone": "Europe/Nowhere"}]`,
		`"notify": [{"channel": "chat", "rules": ["nobody's"]}]`,
		`"rules": [{"name": "r", "schedule": "0 3 * *"}]`,
		`"rules": [{"name": "r", "schedule": "0 3 30 2 *"}]`,
		`"rules": [{"name": "r", "schedule": "*/5 3 * * *"}]`,
		`"rules": [{"name": "old", "max_age": "1h"}], "verify": {"within": "1h"}`,
		`"blackout": [{"from": "08:00", "to": "08:00"}]`,
		`"blackout": [{"from": "08:00", "to": "09:00", "zone": "Europe/Nowhere"}]`,
		`"rules": [{"metric": "a", "above": 1, "stat": "p99", "period": "1s", "datapoints": {"breaching": 100, "of": 100}},
		           {"metric": "b", "above": 1, "stat": "p99", "period": "1s", "datapoints": {"breaching": 100, "of": 100}}]`,
	} {
		wire := `{"model_name": "m", ` + fields + `}`
		assert.NoError(t, check(t, schema, []byte(wire)), wire)
		assert.Error(t, decodes(t, wire), wire)
	}
}

func TestADocumentIsAModelsOrDefaults(t *testing.T) {
	schema := compiled(t)
	for wire, fine := range map[string]bool{
		`{"model_name": "m"}`: true,
		`{"defaults": {}}`:    true,
		`{"defaults": {"teams": ["a"], "models": ["fraud-*"]}, "cooldown": "1h"}`: true,
		`{}`:                                  false,
		`{"cooldown": "1h"}`:                  false,
		`{"model_name": "m", "defaults": {}}`: false,
		`{"model_name": ""}`:                  false,
		`{"model_name": 7}`:                   false,
		`{"defaults": {"team": ["a"]}}`:       false,
		`{"defaults": {"teams": "a"}}`:        false,
		`{"defaults": []}`:                    false,
		`[]`:                                  false,
	} {
		assert.Equal(t, fine, check(t, schema, []byte(wire)) == nil, wire)
	}
}
