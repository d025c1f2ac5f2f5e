package main

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
	orderedmap "github.com/pb33f/ordered-map/v2"

	"github.com/modelvigil/modelvigil/monitor"
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
	oneLinePattern    = `^[^\n\r]*$`
)

// scalar is the schema of a type that has a JSON form of its own, which
// reflection can't see, or whose words are constants; nil for all others.
func scalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[monitor.Optional[monitor.Duration]]():
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern, Examples: []any{"90s", "1h30m", "24h"}}
	case reflect.TypeFor[monitor.Reading]():
		return &jsonschema.Schema{Type: "number", Minimum: "-1e100", Maximum: "1e100"}
	case reflect.TypeFor[monitor.Optional[monitor.Margin]]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
			{Type: "number", Minimum: "0", Maximum: "1e100"},
			{Type: "string", Pattern: sharePattern, Examples: []any{"3%"}},
		}}
	case reflect.TypeFor[map[string]json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[monitor.Stat]():
		// The words are there for editors to complete; the pattern has the percentiles.
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			words(monitor.StatMean, monitor.StatMin, monitor.StatMax, monitor.StatSum, monitor.StatCount, "p1", "p5", "p10", "p50", "p90", "p95", "p99", "p99.9"),
			{Type: "string", Pattern: percentilePattern},
		}}
	case reflect.TypeFor[monitor.TimeBasis]():
		return words(monitor.TimeOfEvent, monitor.TimeOfArrival)
	case reflect.TypeFor[monitor.Missing]():
		return words(monitor.MissingIgnored, monitor.MissingBreaching, monitor.MissingOK)
	case reflect.TypeFor[monitor.BaselineFrom]():
		return words(monitor.BaselineFirst, monitor.BaselinePrevious)
	case reflect.TypeFor[monitor.Detector]():
		return words(monitor.DetectorADWIN)
	case reflect.TypeFor[monitor.Direction]():
		return words(monitor.DirectionUp, monitor.DirectionDown, monitor.DirectionBoth)
	case reflect.TypeFor[monitor.Severity]():
		return words(monitor.Critical, monitor.Warning)
	case reflect.TypeFor[monitor.Superseded]():
		return words(monitor.SupersededSuppressed, monitor.SupersededTriggers)
	case reflect.TypeFor[monitor.OnTimeout]():
		return words(monitor.RejectOnTimeout, monitor.ApproveOnTimeout)
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
