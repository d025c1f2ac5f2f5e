package main

import (
	"slices"

	"github.com/invopop/jsonschema"
	orderedmap "github.com/pb33f/ordered-map/v2"

	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
)

// measuring are the fields of a rule that measures a metric and have no place in
// one that doesn't; all but the metric need a period.
var measuring = []string{
	"metric", "stat", "period", "offset", "zone", "time", "datapoints", "min_samples", "missing", "grace", "clear_below", "clear_above", "baseline",
}

// depend says how the fields of a rule depend on each other, as Rule.validate does.
func depend(rule *jsonschema.Schema) {
	rule.If = &jsonschema.Schema{Required: []string{"drift"}}
	rule.Then = onDistributions()
	rule.Else = onReadings()
	rule.AllOf = []*jsonschema.Schema{
		{ // a condition never does anything by itself
			If:   where("condition", &jsonschema.Schema{Const: true}),
			Then: &jsonschema.Schema{Properties: properties(field{"severity", &jsonschema.Schema{Not: &jsonschema.Schema{Const: "warning"}}})},
		},
	}
}

// onDistributions is a drift rule.
func onDistributions() *jsonschema.Schema {
	rule := without("stat", "below", "clear_below", "clear_above", "below_baseline_by", "above_baseline_by", "baseline", "change",
		"all_of", "any_of", "of", "not", "max_age", "silent_for", "new_readings", "schedule")
	rule.Required = []string{"period"}
	rule.OneOf = []*jsonschema.Schema{
		{Required: []string{"metric"}, Not: anyOf("category", "metrics", "categories")},
		{Required: []string{"category"}, Not: anyOf("metric", "metrics", "categories")},
		{Required: []string{"name"}, AnyOf: []*jsonschema.Schema{{Required: []string{"metrics"}}, {Required: []string{"categories"}}}, Not: anyOf("metric", "category")},
	}
	rule.AllOf = []*jsonschema.Schema{
		{OneOf: []*jsonschema.Schema{{Required: []string{"above"}}, {Required: []string{"false_alarms"}}}},
		{If: &jsonschema.Schema{Required: []string{"above"}}, Then: &jsonschema.Schema{Properties: properties(field{"above", &jsonschema.Schema{Minimum: "0"}})}},
		{
			If:   where("drift", where("statistic", words(drift.Wasserstein, drift.Missing))),
			Then: without("false_alarms"),
		},
	}

	return rule
}

// anyOf holds for objects that have one of some fields.
func anyOf(names ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	for _, name := range names {
		s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Required: []string{name}})
	}
	return s
}

// dependReference says what has its place beside which kind of reference.
func dependReference(reference *jsonschema.Schema) {
	profile := without("samples", "periods")
	profile.Required = []string{"profile"}
	reference.AllOf = []*jsonschema.Schema{
		{If: where("from", words(policy.ReferenceFirst, policy.ReferencePrevious)), Then: without("periods", "profile")},
		{If: where("from", words(policy.ReferenceTrailing)), Then: without("samples", "profile")},
		{If: where("from", words(policy.ReferenceProfile)), Then: profile},
	}
}

// onReadings is every other rule.
func onReadings() *jsonschema.Schema {
	rule := without("category", "metrics", "categories", "false_alarms")
	// Exactly one of these says what kind of rule it is.
	for _, kind := range []string{
		"below", "above", "below_baseline_by", "above_baseline_by", "change", "all_of", "any_of", "of", "not", "max_age", "silent_for",
		"new_readings", "schedule",
	} {
		rule.OneOf = append(rule.OneOf, &jsonschema.Schema{Required: []string{kind}})
	}

	rule.DependentRequired = map[string][]string{
		"below": {"metric"}, "above": {"metric"}, "new_readings": {"metric"},
		"below_baseline_by": {"metric", "stat", "period"}, "above_baseline_by": {"metric", "stat", "period"}, "change": {"metric", "stat", "period"},
		"stat": {"period"}, "period": {"stat"},
		"offset": {"period"}, "time": {"period"}, "datapoints": {"period"}, "min_samples": {"period"}, "missing": {"period"}, "grace": {"period"},
		"of": {"at_least"}, "at_least": {"of"},
		"clear_below": {"below", "period"}, "clear_above": {"above", "period"},
	}
	rule.DependentSchemas = map[string]*jsonschema.Schema{
		"change":   without("datapoints"),
		"baseline": {AnyOf: []*jsonschema.Schema{{Required: []string{"below_baseline_by"}}, {Required: []string{"above_baseline_by"}}}},
	}
	rule.DependentSchemas["zone"] = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Required: []string{"period"}}, {Required: []string{"schedule"}}}}
	rule.DependentSchemas["new_readings"] = without(slices.DeleteFunc(slices.Clone(measuring), func(name string) bool { return name == "metric" })...)
	for _, kind := range []string{"all_of", "any_of", "of", "not", "max_age", "silent_for", "schedule"} {
		s := without(slices.DeleteFunc(slices.Clone(measuring), func(name string) bool { return name == "zone" && kind == "schedule" })...)
		s.Required = []string{"name"} // there is no metric to call it by
		rule.DependentSchemas[kind] = s
	}

	rule.AllOf = []*jsonschema.Schema{
		{ // a count or a sum knows no missing datapoint
			If:   where("stat", words(policy.StatCount, policy.StatSum)),
			Then: without("min_samples", "missing"),
		},
		{ // and grows with the readings, so that whole periods make its baseline
			If: where("stat", words(policy.StatCount, policy.StatSum)),
			Then: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
				without("below_baseline_by", "above_baseline_by"),
				where("baseline", where("from", words(policy.BaselineTrailing))),
			}},
		},
	}
	return rule
}

// dependBaseline says what has its place beside which kind of baseline.
func dependBaseline(baseline *jsonschema.Schema) {
	trailing := without("samples", "period")
	trailing.Required = []string{"periods"}
	baseline.AllOf = []*jsonschema.Schema{
		{If: where("from", words(policy.BaselineTrailing)), Then: trailing, Else: without("periods", "season")},
		{If: where("from", words(policy.BaselineReplaced)), Then: without("period")},
	}
}

// where holds for objects that have a field, and there what a schema says.
func where(name string, is *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Required: []string{name}, Properties: properties(field{name, is})}
}

// without refuses fields.
func without(names ...string) *jsonschema.Schema {
	var fields []field
	for _, name := range names {
		fields = append(fields, field{name, jsonschema.FalseSchema})
	}
	return &jsonschema.Schema{Properties: properties(fields...)}
}

func properties(fields ...field) *orderedmap.OrderedMap[string, *jsonschema.Schema] {
	all := orderedmap.New[string, *jsonschema.Schema]()
	for _, f := range fields {
		all.Set(f.name, f.schema)
	}
	return all
}
