package main

import (
	"encoding/json"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/modelvigil/modelvigil/policy"
)

// bound adds the bounds that policy's validation has as numbers. Those that
// depend on two values (a grace of 10 periods, a clear threshold beside its
// threshold) or on all (unique names, cycles, the state's bound) no schema can say.
//
// A 0 that means "left out" to the decoder is refused here: leave the field out.
func bound(s *jsonschema.Schema) {
	rule := s.Definitions["Rule"]
	limitNumber(property(s, "version"), "1", json.Number(strconv.Itoa(policy.Version)))
	limit(s, "team", text(0, 100, ""))
	limit(s, "owner", text(0, 100, ""))
	limitItems(property(s, "rules"), 1, policy.MaxRules)
	limitItems(property(s, "blackout"), 0, 20)
	limitItems(property(s, "notify"), 0, 10)
	limitNumber(property(s, "max_failures"), "0", "1000")
	s.Definitions["Budget"].Required = []string{"retrainings", "per"}
	limitNumber(property(s.Definitions["Budget"], "retrainings"), "1", json.Number(strconv.Itoa(policy.MaxBudget)))
	limitItems(property(s, "keep_distributions"), 0, 64)

	name := text(1, 100, "")
	name.Pattern = oneLinePattern
	limit(rule, "name", name)
	limit(rule, "metric", text(1, 100, ""))
	limit(rule, "not", text(1, 100, ""))
	for _, members := range []string{"all_of", "any_of", "of"} {
		limitItems(property(rule, members), 1, 64)
	}
	property(rule, "of").UniqueItems = true
	limitNumber(property(rule, "at_least"), "1", "64")
	limitNumber(property(rule, "min_samples"), "1", maxCount)
	limitNumber(property(rule, "new_readings"), "1", maxCount)
	property(rule, "schedule").Pattern = schedulePattern
	property(rule, "schedule").Examples = []any{"0 3 * * MON", "30 4 1 * *"}

	limit(rule, "category", text(1, 100, ""))
	for _, watched := range []string{"metrics", "categories"} {
		limitItems(property(rule, watched), 0, 64)
		property(rule, watched).UniqueItems = true
		property(rule, watched).Items = text(1, 100, "")
	}
	s.Definitions["Drift"].Required = []string{"statistic", "reference"}
	s.Definitions["Reference"].Required = []string{"from"}
	limitNumber(property(s.Definitions["Reference"], "samples"), "1", maxCount)
	limitNumber(property(s.Definitions["Reference"], "periods"), "1", "100")

	datapoints := s.Definitions["Datapoints"]
	limitNumber(property(datapoints, "breaching"), "1", "100")
	limitNumber(property(datapoints, "of"), "1", "100")
	limitNumber(property(s.Definitions["Baseline"], "samples"), "1", maxCount)
	limitNumber(property(s.Definitions["Baseline"], "periods"), "1", "100")
	delta := property(s.Definitions["Change"], "delta")
	delta.Minimum = "1e-9"
	delta.ExclusiveMaximum = "1"
	for field, max := range map[string]json.Number{"slack": "10", "decision": "1000"} {
		bounded := property(s.Definitions["Change"], field)
		bounded.ExclusiveMinimum = "0"
		bounded.Maximum = max
	}
	limitNumber(property(s.Definitions["Change"], "samples"), "2", "10000")

	limitNumber(property(s.Definitions["Verify"], "min_samples"), "1", maxCount)
	retraining := s.Definitions["Retraining"]
	limit(retraining, "backend", text(0, 100, ""))
	limitNumber(property(retraining, "priority"), "1", "5")

	notify := s.Definitions["Notify"]
	notify.Required = []string{"channel"}
	limit(notify, "channel", text(1, 100, ""))
	limitItems(property(notify, "rules"), 1, policy.MaxRules)
	wanted := property(notify, "kinds")
	limitItems(wanted, 1, 100)
	wanted.Items.Enum = kinds()

	blackout := s.Definitions["Blackout"]
	blackout.Required = []string{"from", "to"}
	property(blackout, "days").Pattern = daysPattern
	property(blackout, "days").Examples = []any{"mon-fri", "sat,sun"}
	property(blackout, "from").Pattern = fromPattern
	property(blackout, "to").Pattern = toPattern
	for _, zone := range []*jsonschema.Schema{property(blackout, "zone"), property(rule, "zone")} {
		zone.Not = &jsonschema.Schema{Const: "Local"}
		zone.Examples = []any{"Europe/Berlin", "UTC"}
	}
}

// kinds are the decisions that a channel can be told of.
func kinds() (kinds []any) {
	for _, kind := range policy.Notifiable() {
		kinds = append(kinds, kind)
	}
	return kinds
}

// maxCount bounds what is counted.
const maxCount = "1000000000000"

// property is a field's schema. One that is missing is a fault of this program,
// which its tests find.
func property(s *jsonschema.Schema, name string) *jsonschema.Schema {
	found, ok := s.Properties.Get(name)
	if !ok {
		panic("no field " + name)
	}
	return found
}

// limit bounds a text that is there already by another's bounds.
func limit(s *jsonschema.Schema, name string, by *jsonschema.Schema) {
	p := property(s, name)
	p.MinLength = by.MinLength
	p.MaxLength = by.MaxLength
	p.Pattern = by.Pattern
}

func limitNumber(s *jsonschema.Schema, min, max json.Number) {
	s.Minimum = min
	s.Maximum = max
}

func limitItems(s *jsonschema.Schema, min, max uint64) {
	s.MaxItems = &max
	if min > 0 {
		s.MinItems = &min
	}
}
