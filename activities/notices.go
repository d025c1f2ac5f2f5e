package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
)

// Channel tells somebody of decisions: a chat, a pager, another system.
type Channel interface {
	// Tell returns nil once the channel has the notice. It may be called again with
	// one that it has told already, by the same ID. Errors are marked as those of a
	// ModelOps are: Final, RetryAfter, Throttled.
	Tell(ctx context.Context, notice monitor.Notice) error
}

// DeclaredChannel is a channel as the worker's file declares it.
type DeclaredChannel struct {
	Channel
	Kind  string   // for metrics: what it is
	Teams []string // whose policies may use it; none: all
}

// Channels are those of a process, by the name that policies use.
type Channels map[string]DeclaredChannel

// For is a channel for the policies of a team, or an error marked by Final.
func (c Channels) For(team, name string) (DeclaredChannel, error) {
	channel, known := c[name]
	switch {
	case !known && len(c) == 0:
		return channel, modelops.Final(fmt.Errorf("the worker has no %q, and no other channel: NOTIFICATIONS_FILE declares them", name))
	case !known:
		return channel, modelops.Final(fmt.Errorf("the worker has no %q, only %s; correct the name, or declare it in NOTIFICATIONS_FILE",
			name, strings.Join(slices.Sorted(maps.Keys(c)), ", ")))
	case channel.Teams != nil && !slices.Contains(channel.Teams, team):
		return channel, modelops.Final(fmt.Errorf("%q is for policies of team %s, and this one's is %q", name, strings.Join(channel.Teams, ", "), team))
	}

	return channel, nil
}

// Notices holds the activities that tell channels, and what they depend on.
// Register it on a worker of the notices task queue.
type Notices struct {
	Channels Channels
	Fleet    []string // the channels that are told what concerns all models
}

// Types of the application errors of these activities; only ErrorUntellable is
// non-retryable.
const (
	ErrorUntellable = "NoticePermanent" // an unknown channel, or one that refuses for good
	ErrorUntold     = "NoticeTransient"
)

// Notify tells a notice's channel.
func (n *Notices) Notify(ctx context.Context, notice monitor.Notice) error {
	defer keepAlive(ctx)()
	channel, err := n.channel(notice)
	if err == nil {
		labels := map[string]string{"channel": notice.Channel, "channel_kind": channel.Kind}
		err = measured(ctx, MetricChannelCall, labels, func() error { return channel.Tell(ctx, notice) })
	}

	if err == nil {
		return nil
	}

	message := err.Error() // the monitor says of which channel
	message = strings.ToValidUTF8(message[:min(len(message), maxMessageBytes)], "\uFFFD")
	options := temporal.ApplicationErrorOptions{NonRetryable: modelops.IsFinal(err), NextRetryDelay: modelops.PauseOf(err)}
	kind := ErrorUntold
	if options.NonRetryable {
		kind = ErrorUntellable
	}
	return temporal.NewApplicationErrorWithOptions(message, kind, options)
}

// FleetChannels names the channels that are told what concerns all models.
func (n *Notices) FleetChannels(context.Context) ([]string, error) { return n.Fleet, nil }

// channel is the notice's. What concerns all models is of no team.
func (n *Notices) channel(notice monitor.Notice) (DeclaredChannel, error) {
	declared, err := n.Channels.For(notice.Team, notice.Channel)
	if notice.ModelName == "" && declared.Channel != nil {
		return declared, nil
	}
	return declared, err
}
