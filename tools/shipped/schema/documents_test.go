package main

// A shown document: the fields of a policy, or of a rule, and whether they are fine.
type shown struct {
	fields string
	rule   bool // of a rule, beside which there is one named other
	fine   bool
}

const windowed = `"metric": "a", "stat": "mean", "period": "1h", `

// documents are shown to the schema and to the decoder.
var documents = map[string]shown{
	"all fields of a policy": {`"team": "t", "owner": "o", "rules": [{"metric": "accuracy", "below": 0.9}], "cooldown": "0s", "max_failures": 3,
		"dry_run": true, "superseded": "trigger", "approval": {"required": true, "timeout": "4h", "on_timeout": "approve"},
		"verify": {"within": "1h", "min_samples": 5}, "blackout": [{"days": "mon-fri,SUN", "from": "08:00", "to": "24:00", "zone": "Europe/Berlin"}],
		"retraining": {"backend": "b", "params": {"x": [1]}, "timeout": "24h", "cancel_on_timeout": true, "priority": 5}`, false, true},
	"every kind of rule": {`"rules": [
		{"metric": "a", "below": -1e100}, {"metric": "b", "above": 0},
		{"name": "c", "metric": "a", "stat": "p99.9", "above": 2, "clear_above": 1, "period": "1h30m", "time": "arrival",
		 "datapoints": {"breaching": 3, "of": 5}, "min_samples": 9, "missing": "ok", "grace": "0s", "severity": "warning"},
		{"name": "d", "metric": "a", "stat": "min", "below": 1, "clear_below": 2, "period": "24h", "missing": "breaching"},
		{"name": "e", "metric": "a", "stat": "mean", "below_baseline_by": "3%", "baseline": {"samples": 10, "from": "previous"}, "period": "1h", "condition": true},
		{"name": "f", "metric": "a", "stat": "max", "above_baseline_by": 0.03, "baseline": {}, "period": "1h", "missing": "ignore"},
		{"name": "g", "metric": "a", "stat": "mean", "change": {"detector": "adwin", "delta": 0.01, "direction": "down", "hold": "1h"}, "period": "1h"},
		{"name": "h", "metric": "a", "stat": "mean", "change": {}, "period": "1h"},
		{"name": "i", "all_of": ["c", "d"]}, {"name": "j", "any_of": ["c", "d"], "severity": "critical"}, {"name": "k", "not": "e"},
		{"name": "l", "max_age": "720h"}, {"name": "m", "silent_for": "1s"},
		{"name": "n", "metric": "a", "stat": "count", "below": 1, "period": "1s"}, {"name": "o", "metric": "a", "stat": "sum", "above": 1, "period": "1s", "time": "event"}]`, false, true},
	"an unknown field":               {`"cooldwn": "1h"`, false, false},
	"an unknown field of retraining": {`"retraining": {"retries": 3}`, false, false},
	"a cooldown that is a number":    {`"cooldown": 3600`, false, false},
	"a cooldown in days":             {`"cooldown": "1d"`, false, false},
	"a cooldown without a unit":      {`"cooldown": "90"`, false, false},
	"a negative cooldown":            {`"cooldown": "-1h"`, false, false},
	"a cooldown of fractions":        {`"cooldown": "1.5h"`, false, true},
	"a cooldown of 0":                {`"cooldown": "0"`, false, true},
	"rules that are none":            {`"rules": []`, false, false},
	"rules that are an object":       {`"rules": {}`, false, false},
	"dry_run in words":               {`"dry_run": "yes"`, false, false},
	"too many failures":              {`"max_failures": 1001`, false, false},
	"failures without a bound":       {`"max_failures": 0`, false, true},
	"half a failure":                 {`"max_failures": 1.5`, false, false},
	"another word for superseded":    {`"superseded": "ignore"`, false, false},
	"another word for on_timeout":    {`"approval": {"on_timeout": "retry"}`, false, false},
	"priority 6":                     {`"retraining": {"priority": 6}`, false, false},
	"params that are a list":         {`"retraining": {"params": []}`, false, false},
	"a long team":                    {`"team": "` + hundred + `x"`, false, false},
	"a team as long as may be":       {`"team": "` + hundred + `"`, false, true},
	"samples beyond counting":        {`"verify": {"min_samples": 1000000000001}`, false, false},
	"samples as many as can be":      {`"verify": {"min_samples": 1000000000000}`, false, true},

	"channels":                     {`"notify": [{"channel": "chat"}, {"channel": "pager", "kinds": ["failed", "warned"]}]`, false, true},
	"a channel without a name":     {`"notify": [{"kinds": ["failed"]}]`, false, false},
	"a channel told of suppressed": {`"notify": [{"channel": "chat", "kinds": ["suppressed"]}]`, false, false},
	"a channel told of nothing":    {`"notify": [{"channel": "chat", "kinds": []}]`, false, false},

	"a blackout over midnight":            {`"blackout": [{"from": "22:00", "to": "06:00"}]`, false, true},
	"a blackout without an end":           {`"blackout": [{"from": "22:00"}]`, false, false},
	"a blackout from 24:00":               {`"blackout": [{"from": "24:00", "to": "06:00"}]`, false, false},
	"a blackout at 8":                     {`"blackout": [{"from": "8:00", "to": "09:00"}]`, false, false},
	"a blackout at 08:60":                 {`"blackout": [{"from": "08:60", "to": "09:00"}]`, false, false},
	"a blackout of the process's own":     {`"blackout": [{"from": "08:00", "to": "09:00", "zone": "Local"}]`, false, false},
	"a blackout on a day by another name": {`"blackout": [{"days": "monday", "from": "08:00", "to": "09:00"}]`, false, false},
	"a blackout on days with blanks":      {`"blackout": [{"days": "Fri - Mon, wed", "from": "08:00", "to": "09:00"}]`, false, true},
	"a blackout on days without an end":   {`"blackout": [{"days": "mon-", "from": "08:00", "to": "09:00"}]`, false, false},

	"a rule of no kind":              {`"metric": "a"`, true, false},
	"a rule of two kinds":            {`"metric": "a", "below": 1, "above": 2`, true, false},
	"a rule on no metric":            {`"below": 1`, true, false},
	"an age with a metric":           {`"name": "r", "metric": "a", "max_age": "1h"`, true, false},
	"an age with a period":           {`"name": "r", "period": "1h", "max_age": "1h"`, true, false},
	"an age without a name":          {`"max_age": "1h"`, true, false},
	"a composite without a name":     {`"all_of": ["other"]`, true, false},
	"a composite of nothing":         {`"name": "r", "all_of": []`, true, false},
	"a composite of one":             {`"name": "r", "all_of": ["other"]`, true, true},
	"a composite that is no list":    {`"name": "r", "all_of": "other"`, true, false},
	"not a list":                     {`"name": "r", "not": ["other"]`, true, false},
	"a name of two lines":            {`"name": "r\ns", "metric": "a", "below": 1`, true, false},
	"a threshold in words":           {`"metric": "a", "below": "1"`, true, false},
	"a threshold beyond all":         {`"metric": "a", "below": 1e101`, true, false},
	"a stat without a period":        {`"metric": "a", "below": 1, "stat": "mean"`, true, false},
	"a period without a stat":        {`"metric": "a", "below": 1, "period": "1h"`, true, false},
	"datapoints without a period":    {`"metric": "a", "below": 1, "datapoints": {"of": 2}`, true, false},
	"clear_below without a period":   {`"metric": "a", "below": 1, "clear_below": 2`, true, false},
	"clear_above beside below":       {windowed + `"below": 1, "clear_above": 2`, true, false},
	"a change without a period":      {`"metric": "a", "change": {}`, true, false},
	"a change with datapoints":       {windowed + `"change": {}, "datapoints": {"of": 2}`, true, false},
	"a change by another detector":   {windowed + `"change": {"detector": "kswin"}`, true, false},
	"a change sideways":              {windowed + `"change": {"direction": "sideways"}`, true, false},
	"a change of no confidence":      {windowed + `"change": {"delta": 1}`, true, false},
	"a change that is too sure":      {windowed + `"change": {"delta": 1e-10}`, true, false},
	"a baseline beside a threshold":  {windowed + `"below": 1, "baseline": {}`, true, false},
	"a baseline without a period":    {`"metric": "a", "below_baseline_by": 1`, true, false},
	"a baseline of a sum":            {`"metric": "a", "stat": "sum", "period": "1h", "below_baseline_by": 1`, true, false},
	"a baseline from the last":       {windowed + `"below_baseline_by": 1, "baseline": {"from": "last"}`, true, false},
	"a share in words":               {windowed + `"below_baseline_by": "three"`, true, false},
	"a share without its sign":       {windowed + `"below_baseline_by": "3"`, true, false},
	"a negative share":               {windowed + `"below_baseline_by": "-3%"`, true, false},
	"a share of fractions":           {windowed + `"below_baseline_by": "2.5 %"`, true, true},
	"a negative distance":            {windowed + `"below_baseline_by": -0.1`, true, false},
	"missing in other words":         {windowed + `"below": 1, "missing": "notBreaching"`, true, false},
	"time in other words":            {windowed + `"below": 1, "time": "processing"`, true, false},
	"severity in other words":        {windowed + `"below": 1, "severity": "info"`, true, false},
	"a warning that is a condition":  {windowed + `"below": 1, "severity": "warning", "condition": true`, true, false},
	"a warning that is no condition": {windowed + `"below": 1, "severity": "warning", "condition": false`, true, true},
	"min_samples of a count":         {`"metric": "a", "stat": "count", "period": "1h", "below": 1, "min_samples": 2`, true, false},
	"missing of a sum":               {`"metric": "a", "stat": "sum", "period": "1h", "below": 1, "missing": "ok"`, true, false},
	"datapoints of 101":              {windowed + `"below": 1, "datapoints": {"of": 101}`, true, false},
	"an unknown field of datapoints": {windowed + `"below": 1, "datapoints": {"m": 1}`, true, false},
	"an unknown field of a rule":     {`"metric": "a", "abov": 1`, true, false},

	"stat average": stat("average", false), "stat P99": stat("P99", false), "stat p": stat("p", false), "stat p0": stat("p0", false),
	"stat p0.1": stat("p0.1", true), "stat p0.09": stat("p0.09", false), "stat p1": stat("p1", true), "stat p50": stat("p50", true),
	"stat p99.9": stat("p99.9", true), "stat p99.90": stat("p99.90", true), "stat p99.91": stat("p99.91", false), "stat p99.99": stat("p99.99", false),
	"stat p100": stat("p100", false), "stat p12.5": stat("p12.5", true), "stat p1.2.3": stat("p1.2.3", false), "stat p-1": stat("p-1", false),
}

const hundred = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

func stat(word string, fine bool) shown {
	return shown{`"metric": "a", "below": 1, "period": "1h", "stat": "` + word + `"`, true, fine}
}
