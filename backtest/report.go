package backtest

import (
	"bufio"
	_ "embed" // the report's parts
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

//go:embed assets/report.html
var reportHTML string

//go:embed assets/report.css
var reportCSS string

//go:embed assets/line.js
var lineJS string

//go:embed assets/drift.js
var driftJS string

//go:embed assets/report.js
var reportJS string

//go:embed assets/uPlot.iife.min.js
var uPlotJS string

//go:embed assets/uPlot.min.css
var uPlotCSS string

//go:embed assets/uPlot.LICENSE
var uPlotLicense string

// maxReportDecisions bounds the decisions that a report holds of one result.
// Suppressions and warnings go first.
const maxReportDecisions = 5000

// Swept is a sweep and what came of it.
type Swept struct {
	Grid
	Results []SweepResult
}

// page is what a report shows, as its script reads it.
type page struct {
	Models    []pageModel  `json:"models"`
	Results   []pageResult `json:"results"`
	Parameter string       `json:"parameter,omitempty"` // that was swept
	Sweep     []pageSweep  `json:"sweep,omitempty"`
}

type pageModel struct {
	Name   string   `json:"name"`
	Events int      `json:"events"`
	Series []series `json:"series"`
}

type pageResult struct {
	Summary
	Rules     []policy.Rule      `json:"rules"`
	Cooldowns [][2]int64         `json:"cooldowns"` // Unix seconds, from and until
	Decisions []monitor.Decision `json:"decisions"`
	Omitted   int                `json:"omitted,omitempty"` // decisions
	Seconds   float64            `json:"seconds_in_breach"`
	Lines     []pageLine         `json:"lines,omitempty"` // of rules with a period, but drift rules
	Drifts    []pageDrift        `json:"drifts,omitempty"`
}

type pageSweep struct {
	SweepResult
	Number  *float64 `json:"number"` // the value's place on an axis; nil for words
	Form    string   `json:"form,omitempty"`
	Seconds float64  `json:"seconds_in_breach"`
	Delay   *float64 `json:"delay"` // seconds until detection, mean; nil if never
}

// WriteReport writes one HTML page that needs nothing beside itself: over time, what
// rules with a period judged and the readings of what other rules are about, with the
// thresholds, decisions and cooldowns of each policy, and the curves of a sweep. results
// are Run's for this recording and these policies, with Options.Datapoints; swept may be
// nil.
func WriteReport(w io.Writer, recorded *recording.Recording, policies []Policy, results []Result, swept *Swept) error {
	p := page{Models: []pageModel{}, Results: []pageResult{}}
	drawn := map[string]bool{} // of metrics, their readings
	for i, t := range tasks(recorded, policies) {
		wanted := t.policy.WithDefaults()
		for k := range wanted.Rules {
			drawn[wanted.Rules[k].Metric] = drawn[wanted.Rules[k].Metric] || wanted.Rules[k].IsInstant()
		}
		p.Results = append(p.Results, newPageResult(wanted, results[i]))
	}
	for _, model := range recorded.Models {
		p.Models = append(p.Models, pageModel{model.Name, model.Len(), downsample(model, drawn)})
	}

	if swept != nil {
		p.Parameter = swept.Parameter()
		for _, result := range swept.Results {
			p.Sweep = append(p.Sweep, newPageSweep(result))
		}
	}

	data, err := json.Marshal(p) // which escapes what could end the script
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	// What the licence asks for goes along; a link would be the page's only one.
	_, code, _ := strings.Cut(uPlotJS, "*/")
	buffered := bufio.NewWriter(w)
	_, err = strings.NewReplacer(
		"{{css}}", uPlotCSS+"\n"+reportCSS, "{{license}}", strings.TrimSpace(uPlotLicense), "{{uplot}}", strings.TrimSpace(code),
		"{{data}}", string(data), "{{js}}", lineJS+"\n"+driftJS+"\n"+reportJS,
	).WriteString(buffered, reportHTML)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

func newPageResult(wanted policy.Policy, result Result) pageResult {
	made := pageResult{
		Summary: result.Summary, Rules: wanted.Rules, Cooldowns: [][2]int64{},
		Seconds: time.Duration(result.TimeInBreach).Seconds(),
	}
	cooldown := time.Duration(wanted.Cooldown.Or(policy.Duration(policy.DefaultCooldown)))
	for _, decision := range result.Decisions {
		if decision.Kind != policy.Triggered || cooldown == 0 {
			continue
		}

		from, until := decision.At.Unix(), decision.At.Add(cooldown).Unix()
		if n := len(made.Cooldowns); n > 0 && from <= made.Cooldowns[n-1][1] {
			made.Cooldowns[n-1][1] = until
		} else {
			made.Cooldowns = append(made.Cooldowns, [2]int64{from, until})
		}
	}

	made.Lines = newPageLines(wanted.Rules, result.Datapoints)
	made.Drifts = newPageDrifts(wanted.Rules, result.looks)
	made.Decisions = thin(result.Decisions)
	made.Omitted = len(result.Decisions) - len(made.Decisions)
	return made
}

// thin drops decisions until maxReportDecisions are left: suppressions and
// warnings first, then the oldest.
func thin(decisions []monitor.Decision) []monitor.Decision {
	if len(decisions) <= maxReportDecisions {
		return decisions
	}
	kept := make([]monitor.Decision, 0, maxReportDecisions)
	for _, decision := range decisions {
		if decision.Kind != policy.Suppressed && decision.Kind != policy.Warned {
			kept = append(kept, decision)
		}
	}
	return kept[max(0, len(kept)-maxReportDecisions):]
}

func newPageSweep(result SweepResult) pageSweep {
	made := pageSweep{SweepResult: result, Seconds: time.Duration(result.TimeInBreach).Seconds()}
	if value, form, err := Number(result.Value); err == nil {
		made.Number = &value
		made.Form = form
	}
	if d := result.Detection; d != nil && d.Detected > 0 {
		seconds := time.Duration(d.MeanDelay).Seconds()
		made.Delay = &seconds
	}
	return made
}
