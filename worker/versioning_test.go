package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
)

// says is a server that says of itself what version it is, or fails.
type says struct {
	version string
	err     error
}

func (s says) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest, ...grpc.CallOption) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: s.version}, s.err
}

func TestMonitorsUpgradeByWhatTheServerKnows(t *testing.T) {
	const pinned, auto = workflow.VersioningBehaviorPinned, workflow.VersioningBehaviorAutoUpgrade
	build := settings{Deployment: "modelvigil", Build: "one"}
	tests := map[string]struct {
		setting versioning
		server  says
		want    workflow.VersioningBehavior
		warns   bool
	}{
		"the first server that tells pinned runs of a roll": {server: says{version: "1.32.0"}, want: pinned},
		"a later one":                                {server: says{version: "1.33.4"}, want: pinned},
		"the next major version":                     {server: says{version: "2.0.0"}, want: pinned},
		"a hosted one's version":                     {server: says{version: "1.32.0-158.0"}, want: pinned},
		"one before":                                 {server: says{version: "1.31.2"}, want: auto},
		"one long before":                            {server: says{version: "1.4.32"}, want: auto},
		"one that says nothing":                      {want: auto},
		"one that says what is no version":           {server: says{version: "latest"}, want: auto},
		"one that can't be asked":                    {server: says{err: serviceerror.NewUnimplemented("what?")}, want: auto},
		"a setting, whatever the server is":          {setting: versioningPinned, server: says{version: "1.29.1"}, want: pinned, warns: true},
		"a setting that the server bears out":        {setting: versioningPinned, server: says{version: "1.32.1"}, want: pinned},
		"the other setting":                          {setting: versioningAutoUpgrade, server: says{version: "1.32.1"}, want: auto},
		"a setting, where the server can't be asked": {setting: versioningPinned, server: says{err: errors.New("away")}, want: pinned, warns: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			p := &pool{configuration: configuration{settings: build, log: slog.New(slog.NewTextHandler(&logged, nil))}}
			p.settings.Versioning = test.setting
			got, err := p.versioning(t.Context(), test.server)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, test.warns, strings.Contains(logged.String(), "level=WARN"), logged.String())
		})
	}
}

func TestAServerThatFailsToSayItsVersionIsAskedAgain(t *testing.T) {
	p := &pool{configuration: configuration{settings: settings{Deployment: "modelvigil", Build: "one"}, log: slog.New(slog.DiscardHandler)}}
	_, err := p.versioning(t.Context(), says{err: errors.New("away")})
	require.ErrorContains(t, err, "ask the server for its version: away")
}

func TestWorkersWithoutABuildHaveNoVersioning(t *testing.T) {
	p := &pool{}
	got, err := p.versioning(t.Context(), says{version: "1.32.1"})
	require.NoError(t, err)
	require.Equal(t, workflow.VersioningBehaviorUnspecified, got)
}
