package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
)

// versioning is how monitors get from one build of the workers to the next.
type versioning string

const (
	// versioningDetected leaves it to what the server can do.
	versioningDetected versioning = ""
	// versioningPinned keeps a run of a monitor on the build that its first task had. It
	// hands on to a run of the current build when the server tells it of another.
	versioningPinned versioning = "pinned"
	// versioningAutoUpgrade gives a run's next task to the current build, which replays
	// what others have recorded.
	versioningAutoUpgrade versioning = "auto-upgrade"
)

// UnmarshalText reads the behaviors by their names.
func (v *versioning) UnmarshalText(text []byte) error {
	switch read := versioning(text); read {
	case versioningPinned, versioningAutoUpgrade:
		*v = read
		return nil
	default:
		return fmt.Errorf("must be %s or %s, got %q", versioningPinned, versioningAutoUpgrade, text)
	}
}

// The first server that tells pinned runs of another build, and never by mistake: 1.31 tells
// them, too, but also in tasks that it makes without a look at what is current.
const (
	tellsMajor = 1
	tellsMinor = 32
)

// systemInfo is what a server is asked about itself.
type systemInfo interface {
	GetSystemInfo(ctx context.Context, in *workflowservice.GetSystemInfoRequest, opts ...grpc.CallOption) (*workflowservice.GetSystemInfoResponse, error)
}

// versioning chooses how monitors upgrade, for as long as the connection is open. Of
// a server that can't say what it is, nothing is expected. A setting is obeyed on every
// server, but not without a word where monitors may never get off their build.
func (p *pool) versioning(ctx context.Context, server systemInfo) (workflow.VersioningBehavior, error) {
	switch {
	case p.settings.Deployment == "":
		return workflow.VersioningBehaviorUnspecified, nil
	case p.settings.Versioning == versioningAutoUpgrade:
		return workflow.VersioningBehaviorAutoUpgrade, nil
	}

	info, err := server.GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	unknown := new(serviceerror.Unimplemented)
	if err != nil && !errors.As(err, &unknown) && p.settings.Versioning != versioningPinned {
		return workflow.VersioningBehaviorUnspecified, fmt.Errorf("ask the server for its version: %w", err)
	}

	tells := tellsPinnedRuns(info.GetServerVersion())
	if p.settings.Versioning == versioningPinned {
		if !tells {
			p.log.Warn("monitors are pinned by VERSIONING_BEHAVIOR, on a server that is not known to tell them of a roll: before 1.31, they stay with this build for ever, and `modelvigil roll BUILD --now` takes them off it",
				"server", info.GetServerVersion())
		}
		return workflow.VersioningBehaviorPinned, nil
	}

	behavior := workflow.VersioningBehaviorAutoUpgrade
	said := versioningAutoUpgrade
	if tells {
		behavior = workflow.VersioningBehaviorPinned
		said = versioningPinned
	}
	p.log.Info("monitors upgrade by what the server knows; VERSIONING_BEHAVIOR overrides it", "versioning_behavior", string(said), "server", info.GetServerVersion())
	return behavior, nil
}

// tellsPinnedRuns says that a server of a version, such as 1.32.1 or 1.32.0-158.0, tells
// pinned runs when another build has become the current one.
func tellsPinnedRuns(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return false
	}
	major, majorErr := strconv.Atoi(parts[0])
	minor, minorErr := strconv.Atoi(parts[1])
	isNumber := majorErr == nil && minorErr == nil
	return isNumber && (major > tellsMajor || major == tellsMajor && minor >= tellsMinor)
}
