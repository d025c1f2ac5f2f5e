package main

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"
	orderedmap "github.com/pb33f/ordered-map/v2"

	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/calendar"
)

// The import path of this folder and where the types' comments are, seen from it.
const (
	here         = "github.com/modelvigil/modelvigil/tools/shipped/schema"
	typesComment = "../../../policy"
)

// document is the schema of one document of a file of policies: a model's policy,
// or defaults that others inherit from.
//
// Field names, their order, nesting and the refusal of unknown ones are read from
// policy's types. What reflection can't see is said by hand: scalars with a JSON
// form of their own in scalars.go, how fields depend on each other in rule.go,
// bounds in bounds.go. The types decode themselves (decodeAt), so nothing but the
// tests, which show every document to the decoder too, holds the two together.
func document() (*jsonschema.Schema, error) {
	r := &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true,
		RequiredFromJSONSchemaTags: true, // every field has a default, or is required by hand
		Mapper:                     scalar,
	}
	if err := r.AddGoComments(here, typesComment, jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read the comments of the types in %s: %w", typesComment, err)
	}

	s := r.Reflect(policy.Policy{})
	for _, t := range []reflect.Type{
		reflect.TypeFor[policy.Policy](), reflect.TypeFor[policy.Rule](), reflect.TypeFor[policy.Datapoints](),
		reflect.TypeFor[policy.Baseline](), reflect.TypeFor[policy.Change](), reflect.TypeFor[policy.Drift](), reflect.TypeFor[policy.Reference](), reflect.TypeFor[policy.Approval](), reflect.TypeFor[policy.Budget](),
		reflect.TypeFor[policy.Verify](), reflect.TypeFor[calendar.Blackout](), reflect.TypeFor[policy.Notify](), reflect.TypeFor[policy.Retraining](),
	} {
		object := s.Definitions[t.Name()]
		if t.Name() == "Policy" {
			object = s
		}
		if err := describe(object, t); err != nil {
			return nil, err
		}
	}

	bound(s)
	depend(s.Definitions["Rule"])
	dependBaseline(s.Definitions["Baseline"])
	dependReference(s.Definitions["Reference"])
	s.Definitions["Change"].If = where("detector", words(policy.DetectorCUSUM))
	s.Definitions["Change"].Then = without("delta")
	s.Definitions["Change"].Else = without("slack", "decision", "samples")
	addScope(s)
	return s, nil
}

// addScope adds what a document says about whom its policy is for: a model, or,
// of defaults, the teams and models that inherit it.
func addScope(s *jsonschema.Schema) {
	list := func(description string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}, Description: description}
	}
	scope := object(
		field{"teams", list("Models whose policy names one of these teams inherit.")},
		field{"models", list("Models whose name fits one of these patterns inherit: * is any text without a slash, ? one character, [ab] one of these.")},
	)
	scope.Description = "Makes the document no model's, but one that others inherit from: those of its teams, those whose name fits, or all where it names neither."
	model := text(1, 200, "The model that is to be watched.")

	properties := orderedmap.New[string, *jsonschema.Schema]()
	properties.Set("model_name", model)
	properties.Set("defaults", scope)
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		properties.Set(pair.Key, pair.Value)
	}
	s.Properties = properties
	s.Title = "A policy of modelvigil, or defaults that policies inherit from"
	s.Description = "Says when a model is retrained, and how; docs/policies.md explains every field. What is left out has its default."
	s.OneOf = []*jsonschema.Schema{{Required: []string{"model_name"}}, {Required: []string{"defaults"}}}
}

// describe puts descriptions into wire words: those of words.go, else the Go
// comment, in which the names of fields and constants are replaced.
func describe(s *jsonschema.Schema, t reflect.Type) error {
	names := map[string]string{} // in JSON, by those in Go
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[t.Field(i).Name] = name
	}

	s.Description = ""
	for i := range t.NumField() {
		name := names[t.Field(i).Name]
		property, ok := s.Properties.Get(name)
		if !ok {
			return fmt.Errorf("%s.%s: reflection has lost it", t.Name(), name)
		}

		if words, ok := descriptions[t.Name()+"."+name]; ok {
			property.Description = words
		} else {
			property.Description = sentence(goName.ReplaceAllStringFunc(property.Description, func(word string) string {
				if wire, ok := names[word]; ok {
					return wire
				}
				if value, ok := constants[word]; ok {
					return value
				}
				return word
			}))
		}
	}

	return nil
}

var goName = regexp.MustCompile(`\b[A-Z][A-Za-z]+\b`)

// sentence is a comment on one line that ends with a full stop.
func sentence(comment string) string {
	text := strings.TrimSuffix(strings.Join(strings.Fields(comment), " "), ".")
	if text == "" {
		return ""
	}
	return text + "."
}
