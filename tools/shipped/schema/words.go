package main

import (
	"fmt"
	"strconv"

	"github.com/modelvigil/modelvigil/policy"
)

// constants are the values of Go's constants that comments name.
var constants = map[string]string{
	"BaselineFirst":          string(policy.BaselineFirst),
	"Critical":               string(policy.Critical),
	"DefaultBaselineSamples": fmt.Sprint(policy.DefaultBaselineSamples),
	"DefaultDelta":           fmt.Sprint(policy.DefaultDelta),
	"DefaultHold":            policy.Duration(policy.DefaultHold).String(),
	"DetectorADWIN":          string(policy.DetectorADWIN),
	"DirectionBoth":          string(policy.DirectionBoth),
	"Held":                   string(policy.Held),
	"MissingIgnored":         string(policy.MissingIgnored),
	"RejectOnTimeout":        string(policy.RejectOnTimeout),
	"SupersededSuppressed":   string(policy.SupersededSuppressed),
	"TimeOfEvent":            string(policy.TimeOfEvent),
}

// descriptions are of fields whose comment is made for readers of Go, shared
// with another field's, or missing. All others are described by their comment.
var descriptions = map[string]string{
	"Policy.version": "Of this form: " + strconv.Itoa(policy.Version) + ", which none means too.",
	"Policy.team":    "Whose model it is; defaults can be for a team.",
	"Policy.owner":   "Who applied it. modelvigil apply --owner NAME sets it, and --prune stops only monitors of the same owner.",
	"Policy.rules": "In order of precedence: of several that breach at once, the first is named. Left out: accuracy below " +
		fmt.Sprintf("%.2f, latency_ms above %.0f, drift_score above %.2f.", policy.DefaultMinAccuracy, policy.DefaultMaxLatencyMS, policy.DefaultMaxDriftScore),
	"Policy.cooldown":   "No two automatic triggers are closer; 0s means none. Default " + policy.Duration(policy.DefaultCooldown).String() + ", at most 8760h.",
	"Policy.dry_run":    "Decides everything and asks for nothing: what would trigger is the decision held.",
	"Policy.superseded": "What becomes of a breach of a version that a retraining has replaced; default suppress.",
	"Policy.approval":   "Asks an operator before a retraining goes out.",
	"Policy.verify":     "Holds the version that a retraining has made against the rules.",
	"Policy.blackout":   "Spans of days in which nothing triggers. What would have triggers at their end, if its rule still breaches.",
	"Policy.notify":     "Who is told of which decisions.",
	"Policy.retraining": "What a trigger asks for.",
	"Policy.profiles":   "Those that drift rules name, by name. apply and backtest read them from the files beside the policy, so nobody writes them here.",

	"Rule.name":              "Unique in its policy; left out, the metric's word (latency_ms is latency, drift_score is drift).",
	"Rule.metric":            "accuracy, latency_ms, drift_score, or any name in an event's metrics.",
	"Rule.stat":              "The statistic of a period's readings that makes a datapoint: mean, min, max, sum, count, or a percentile, p0.1 to p99.9, within 1 %.",
	"Rule.below":             "Breaches below this threshold; the threshold itself is healthy.",
	"Rule.above":             "Breaches above this threshold; the threshold itself is healthy.",
	"Rule.clear_below":       "Not below below: once breaching, the rule stays so until a datapoint is at or above this.",
	"Rule.clear_above":       "Not above above: once breaching, the rule stays so until a datapoint is at or below this.",
	"Rule.below_baseline_by": `Breaches when the statistic is below its baseline by more than this: absolute, 0.03, or a share of the baseline, "3%".`,
	"Rule.above_baseline_by": `Breaches when the statistic is above its baseline by more than this: absolute, 0.03, or a share of the baseline, "3%".`,
	"Rule.baseline":          "What below_baseline_by and above_baseline_by measure against.",
	"Rule.change":            "Breaches when the mean of the datapoints has changed.",
	"Rule.category":          "Of a drift rule: a name in an event's categories.",
	"Rule.metrics":           "Of a drift rule: up to 64 metrics with the categories, by name or by a pattern in which * is anything.",
	"Rule.categories":        "Of a drift rule: up to 64 categories with the metrics, by name or by a pattern in which * is anything.",
	"Rule.drift":             "Holds the distribution of a period's readings against a reference's: its statistic breaches above, or the bound that false_alarms asks for.",
	"Rule.false_alarms":      `Instead of above: how often the rule may breach though nothing has changed, such as "1 per 90d".`,
	"Rule.period":            "Readings of a period make a datapoint: 1s to 744h (31 days), aligned to the Unix epoch. Without one, a threshold is judged on each event.",
	"Rule.offset":            "How long after the epoch's multiples, or midnight, a period begins; less than a period. A period of 168h begins on Monday with 96h, on Thursday without.",
	"Rule.zone":              "Whose midnights a period of whole days begins at; no monitor goes by it yet, and it is refused.",
	"Rule.time":              "What puts an event into a period: its timestamp (event, the default), or when it came (arrival: for labels that come a day late).",
	"Rule.datapoints":        "How many of the last datapoints must breach; default 1 of 1.",
	"Rule.min_samples":       "Readings below which a datapoint is missing; default 1.",
	"Rule.missing":           "What a missing datapoint counts as: ignore (the default) looks past it to earlier ones.",
	"Rule.all_of":            "Names of rules: breaches while all of them do.",
	"Rule.any_of":            "Names of rules: breaches while any of them does.",
	"Rule.of":                "Names of rules, each once: breaches while at_least of them do.",
	"Rule.at_least":          "How many of the rules in of must breach: 1 to all of them. Of a drift rule, how many of its metrics and categories; default 1.",
	"Rule.not":               "The name of a rule: breaches while that one is healthy.",
	"Rule.max_age":           "Breaches when the model was not retrained for so long: since the last success, else the first event. 1s to 8760h.",
	"Rule.silent_for":        "Breaches when there was no event for so long. 1s to 8760h.",
	"Rule.new_readings":      "Breaches when so many readings of the metric have come since the last success, of whatever version, else since they are counted.",
	"Rule.schedule":          "Breaches at each instant that this cron expression of five fields names, for that moment alone.",
	"Rule.severity":          "critical (the default) can trigger; warning writes the decision warned.",

	"Baseline.samples": fmt.Sprintf("How many readings make the baseline, at least; it is unknown until then. Default %d, beside period 1.", policy.DefaultBaselineSamples),
	"Baseline.from": "What makes it: the version's own first readings (first, the default) or those of the version before it (previous), " +
		"the version's last datapoints (trailing), or the last ones of the version that it replaced (replaced).",
	"Baseline.period":  "From first or previous: the readings of so long since the version's first one make it, with samples at least that many. 1s to 8760h.",
	"Baseline.periods": "From trailing: of how many datapoints it is the mean, 1 to 100.",
	"Baseline.season":  "From trailing: takes the same period of the last periods seasons, such as 168h for weeks; a multiple of the rule's period. Left out, the last periods.",

	"Change.detector":  "adwin, the default: adaptive windowing (Bifet and Gavaldà, 2007); or cusum: cumulative sums (Page, 1954), for slow decay.",
	"Change.delta":     fmt.Sprintf("Of adwin, confidence: the smaller, the surer and the later. 1e-9 to less than 1; default %v.", policy.DefaultDelta),
	"Change.slack":     fmt.Sprintf("Of cusum: how far a datapoint may be off the mean of the first samples without adding to its sum, in their standard deviations; default %v.", policy.DefaultSlack),
	"Change.decision":  fmt.Sprintf("Of cusum: the sum beyond which the mean has changed, in the same unit; default %v.", policy.DefaultDecision),
	"Change.samples":   fmt.Sprintf("Of cusum: how many of the version's first datapoints it learns the mean and the standard deviation from, 2 to 10000; default %d.", policy.DefaultReference),
	"Change.direction": "Which changes count: up, down or both (the default).",
	"Change.hold":      "How long the rule breaches after a detection; default " + policy.Duration(policy.DefaultHold).String() + ".",

	"Drift.statistic": "How far two distributions are apart: ks (largest difference of cumulated shares), psi, js (Jensen-Shannon distance), tvd (total variation), wasserstein (in standard deviations), or missing (share of events without a reading).",
	"Drift.reference": "What periods are held against.",

	"Reference.from":    "first (this version's first readings), previous (those of the version before), trailing (this version's last periods) or profile (training data).",
	"Reference.samples": fmt.Sprintf("From first or previous: how many readings of each metric; default %d.", policy.DefaultBaselineSamples),
	"Reference.periods": fmt.Sprintf("From trailing: how many judged periods, 1 to 100; default %d.", policy.DefaultReferencePeriods),
	"Reference.profile": "From profile: the file beside the policy, as modelvigil profile writes it.",

	"Datapoints.breaching": "How many must breach: 1 to of. Left out, all of them.",
	"Datapoints.of":        "Out of how many of the last, 1 to 100. Left out, breaching.",

	"Blackout.days": "Days on which it begins: names and ranges such as mon-fri, sat,sun or fri-mon; default every day.",
	"Blackout.from": "When it begins, 00:00 to 23:59, as a clock on a wall in zone reads.",
	"Blackout.to":   "When it ends, 00:00 to 24:00; before from it is on the next day.",
	"Blackout.zone": "A name of the IANA time zone database, such as Europe/Berlin; default UTC.",

	"Notify.channel": "Its name in the worker's NOTIFICATIONS_FILE.",
	"Notify.kinds":   "The kinds of decision; default triggered, awaiting_approval, failed, timed_out, regressed, circuit_opened.",

	"Notify.rules": "Names of rules: only of their decisions, and of what settles them; left out, all, and those that name no rule.",

	"Policy.certificate": "What modelvigil certify has found of this policy. apply --certificate FILE writes it, so nobody does here.",
	"Policy.budget":      "A hard bound: in no time as long as per are there more retrainings, but for those that an operator forces.",
	"Budget.retrainings": "How many, at most 1000. What an operator forced is counted, and never refused.",
	"Budget.per":         "In any time as long as this; at most 8760h.",

	"Approval.required":   "Whether a trigger waits for modelvigil approve or reject.",
	"Approval.timeout":    "How long it waits; default " + policy.Duration(policy.DefaultApprovalTimeout).String() + ".",
	"Approval.on_timeout": "What no answer means; default reject, which starts the cooldown.",

	"Verify.within":      "How long, from the new version's first event on; default " + policy.Duration(policy.DefaultVerifyWithin).String() + ".",
	"Verify.min_samples": "Events of the new version below which nothing is said; default 1.",

	"Retraining.timeout":           "How long a retraining may take, from trigger to outcome; default " + policy.Duration(policy.DefaultTimeout).String() + ".",
	"Retraining.cancel_on_timeout": "Whether the backend is told to end what has timed out.",
	"Retraining.backend":           "Who retrains: log, webhook, airflow, kubernetes, temporal, or one of your own; left out, the worker's MODELOPS_BACKEND.",
	"Retraining.params":            "Handed to the backend as they are; at most 16 KiB.",
	"Retraining.priority":          "Orders requests that wait for a worker: 1, the first, to 5. Default 3.",
}
