package main

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
	orderedmap "github.com/pb33f/ordered-map/v2"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/policy/certificate"
)

// Patterns of what is written as text.
const (
	// durationPattern is what time.ParseDuration takes, without a minus: no field
	// takes a negative one. How long each may be, the decoder says.
	durationPattern = `^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
	sharePattern    = `^ *\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)? *% *$`
	// percentilePattern is p0.1 to p99.9.
	percentilePattern = `^p0*(\.[1-9][0-9]*|([1-9]|[1-8][0-9]|9[0-8])(\.[0-9]*)?|99(\.([0-8][0-9]*|90*)?)?)$`
	dayPattern        = `\s*([sS][uU][nN]|[mM][oO][nN]|[tT][uU][eE]|[wW][eE][dD]|[tT][hH][uU]|[fF][rR][iI]|[sS][aA][tT])\s*`
	daysPattern       = `^(` + dayPattern + `(-` + dayPattern + `)?(,` + dayPattern + `(-` + dayPattern + `)?)*)?$`
	fromPattern       = `^([01][0-9]|2[0-3]):[0-5][0-9]$`
	toPattern         = `^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`
	schedulePattern   = `^[^=@]+$` // what cron makes of it, the decoder says
	alarmsPattern     = `^\s*0*[1-9][0-9]*\s+per\s+\+?([0-9]+[dw]|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)\s*$`
	oneLinePattern    = `^[^\n\r]*$`
)

// scalar is the schema of a type that has a JSON form of its own, which
// reflection can't see, or whose words are constants; nil for all others.
func scalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[metric.Optional[policy.Duration]](), reflect.TypeFor[policy.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern, Examples: []any{"90s", "1h30m", "24h"}}
	case reflect.TypeFor[metric.Reading]():
		return &jsonschema.Schema{Type: "number", Minimum: "-1e100", Maximum: "1e100"}
	case reflect.TypeFor[metric.Optional[policy.Margin]]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "number", Minimum: "0", Maximum: "1e100"},
			{Type: "string", Pattern: sharePattern, Examples: []any{"3%"}},
		}}
	case reflect.TypeFor[map[string]json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}

	case reflect.TypeFor[policy.Stat]():
		// The words are there for editors to complete; the pattern has the percentiles.
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			words(policy.StatMean, policy.StatMin, policy.StatMax, policy.StatSum, policy.StatCount, "p1", "p5", "p10", "p50", "p90", "p95", "p99", "p99.9"),
			{Type: "string", Pattern: percentilePattern},
		}}

	case reflect.TypeFor[policy.TimeBasis]():
		return words(policy.TimeOfEvent, policy.TimeOfArrival)
	case reflect.TypeFor[policy.Missing]():
		return words(policy.MissingIgnored, policy.MissingBreaching, policy.MissingOK)
	case reflect.TypeFor[policy.BaselineFrom]():
		return words(policy.BaselineFirst, policy.BaselinePrevious, policy.BaselineTrailing, policy.BaselineReplaced)

	case reflect.TypeFor[metric.Optional[policy.Alarms]]():
		return &jsonschema.Schema{Type: "string", Pattern: alarmsPattern, Examples: []any{"1 per 90d", "2 per 4w"}}
	case reflect.TypeFor[policy.ReferenceFrom]():
		return words(policy.ReferenceFirst, policy.ReferencePrevious, policy.ReferenceTrailing, policy.ReferenceProfile)
	case reflect.TypeFor[drift.Statistic]():
		return words(drift.Statistics()...)
	case reflect.TypeFor[map[string]*drift.Profile](), reflect.TypeFor[certificate.Certificate]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "object"}}

	case reflect.TypeFor[policy.Detector]():
		return words(policy.DetectorADWIN, policy.DetectorCUSUM)
	case reflect.TypeFor[policy.Direction]():
		return words(policy.DirectionUp, policy.DirectionDown, policy.DirectionBoth)
	case reflect.TypeFor[policy.Severity]():
		return words(policy.Critical, policy.Warning)
	case reflect.TypeFor[policy.Superseded]():
		return words(policy.SupersededSuppressed, policy.SupersededTriggers)
	case reflect.TypeFor[policy.OnTimeout]():
		return words(policy.RejectOnTimeout, policy.ApproveOnTimeout)
	}

	return nil
}

// words is one of some words. The empty one, which the decoder takes for the
// default, is not among them: leave the field out.
func words[W ~string](all ...W) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range all {
		s.Enum = append(s.Enum, string(word))
	}
	return s
}

// text is a string of some length. The decoder counts bytes and a schema
// characters, of which there are never more.
func text(min, max uint64, description string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", MaxLength: &max, Description: description}
	if min > 0 {
		s.MinLength = &min
	}
	return s
}

// field is a property of an object.
type field struct {
	name   string
	schema *jsonschema.Schema
}

func object(fields ...field) *jsonschema.Schema {
	properties := orderedmap.New[string, *jsonschema.Schema]()
	for _, f := range fields {
		properties.Set(f.name, f.schema)
	}
	return &jsonschema.Schema{Type: "object", Properties: properties, AdditionalProperties: jsonschema.FalseSchema}
}
