package telemetry

import (
	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/workflows"
)

// descriptions are the help texts of what is counted through the SDK, which has none.
var descriptions = map[string]string{
	workflows.MetricDecisions:    "Decisions of monitors, by kind.",
	workflows.MetricSuppressed:   "Breaches that led to no retraining, by what held it back.",
	workflows.MetricBreaches:     "Observations that violated a rule.",
	workflows.MetricEvents:       "Events that monitors have counted, folded or not.",
	workflows.MetricDigests:      "Digests that monitors have counted.",
	workflows.MetricDuplicates:   "Digests that were redelivered, and not counted again.",
	workflows.MetricOverflow:     "Readings that were judged but not kept, and model versions forgotten, because a model had too many.",
	workflows.MetricGaps:         "Batches that a publisher numbered and that never came.",
	workflows.MetricRejections:   "Inputs that monitors could not read or that made no sense, by the signal they came by.",
	workflows.MetricRetraining:   "Time from a retraining's trigger to its outcome.",
	workflows.MetricDigestLag:    "Time from the end of a digest's folding, by its publisher's clock, until its monitor has counted it.",
	"modelvigil_updates_refused": "Updates that a monitor's checks refused, by name; history knows nothing of them.",
	activities.MetricBackendCall: "Duration of calls to backends, by backend, call and outcome.",
	activities.MetricChannelCall: "Duration of attempts to tell channels, by channel, its kind and outcome.",
	workflows.MetricNotices:      "Notices that monitors had for channels, by what became of them.",
}
