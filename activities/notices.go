package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/modelvigil/modelvigil/monitor"
)

// Channel tells somebody of decisions: a chat, a pager, another system.
type Channel interface {
	// Tell returns nil once the channel has the notice. It may be called again with
	// one that it has told already, by the same ID. Errors are marked as those of a
	// ModelOps are: Final, RetryAfter, Throttled.
	Tell(ctx context.Context, notice monitor.Notice) error
}

// Notices holds the activities that tell channels, and what they depend on.
// Register it on a worker of the notices task queue.
type Notices struct {
	Channels map[string]Channel // by the name that policies use
	Fleet    []string           // the channels that are told what concerns all models
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
	channel := n.Channels[notice.Channel]
	var err error
	if channel == nil {
		err = Final(fmt.Errorf("the worker has no channel of this name, only: %s", orNone(slices.Sorted(maps.Keys(n.Channels)))))
	} else {
		err = channel.Tell(ctx, notice)
	}
	if err == nil {
		return nil
	}
	message := fmt.Sprintf("tell channel %s: %v", notice.Channel, err)
	message = strings.ToValidUTF8(message[:min(len(message), maxMessageBytes)], "\uFFFD")
	options := temporal.ApplicationErrorOptions{NonRetryable: IsFinal(err)}
	var later *throttledError
	if errors.As(err, &later) && later.pause > 0 {
		options.NextRetryDelay = later.pause
	}
	kind := ErrorUntold
	if options.NonRetryable {
		kind = ErrorUntellable
	}
	return temporal.NewApplicationErrorWithOptions(message, kind, options)
}

// FleetChannels names the channels that are told what concerns all models.
func (n *Notices) FleetChannels(context.Context) ([]string, error) { return n.Fleet, nil }

func orNone(names []string) string {
	if len(names) == 0 {
		return "none; NOTIFICATIONS_FILE declares them"
	}
	return strings.Join(names, ", ")
}
