package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
)

// MetricBackendCall is how long backends take for a call, and by its count how
// many there were: by backend, by call (schedule, await or cancel) and by outcome.
// In Prometheus its name ends in _seconds.
const MetricBackendCall = "modelvigil_backend_call_duration"

// MetricChannelCall is how long channels take to be told, and by its count how many
// attempts there were: by channel, by channel_kind and by outcome.
const MetricChannelCall = "modelvigil_channel_call_duration"

// The calls of a backend, as metrics name them.
const (
	callSchedule = "schedule"
	callAwait    = "await"
	callCancel   = "cancel"
)

// outcomes are what metrics call the types of errors.
var outcomes = map[string]string{
	ErrorPermanent: "permanent", ErrorTransient: "transient", ErrorThrottled: "throttled", ErrorRunning: "running",
}

// measured measures one call of a backend or a channel.
func measured(ctx context.Context, metric string, labels map[string]string, do func() error) error {
	begin := time.Now()
	err := do()
	if !activity.IsActivity(ctx) || errors.Is(ctx.Err(), context.Canceled) { // nobody waits for the answer any more
		return err
	}
	outcome := "ok"
	if err != nil {
		outcome = outcomes[typeOf(err)]
	}
	metrics := activity.GetMetricsHandler(ctx).WithTags(labels).WithTags(map[string]string{"outcome": outcome})
	metrics.Timer(metric).Record(time.Since(begin))
	return err
}

// ofBackend are the labels of a backend's call.
func ofBackend(backend, call string) map[string]string {
	return map[string]string{"backend": backend, "call": call}
}
