package main

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/internal/setting"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestNoSettingsMeanTheDocumentedDefaults(t *testing.T) {
	c, err := configure(map[string]string{}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, settings{
		TaskQueue: "model-monitor", Backends: backends.Settings{Default: "log"}, PollInterval: setting.Duration(15 * time.Second),
		ListenAddress: "127.0.0.1:9464", LogLevel: setting.LogLevel(slog.LevelInfo), LogFormat: "text",
	}, c.settings)
	require.Equal(t, []string{"log"}, slices.Collect(maps.Keys(c.backends)))
	require.Empty(t, c.temporal.HostPort, "the SDK's default")
}

func TestSettings(t *testing.T) {
	tests := map[string]struct {
		environment map[string]string
		faults      []string // what each line begins with; none: the settings are good
	}{
		"empty variables count as not set": {
			environment: map[string]string{"TASK_QUEUE": "", "MODELOPS_BACKEND": "", "MODELOPS_WEBHOOK_URL": "", "LOG_LEVEL": "", "TEMPORAL_ADDRESS": "", "TEMPORAL_TLS": ""},
		},
		"everything can be set": {
			environment: map[string]string{
				"TASK_QUEUE": "fraud", "MODELOPS_BACKEND": "webhook", "MODELOPS_WEBHOOK_URL": "https://train.example.com/retrainings",
				"MODELOPS_WEBHOOK_SECRET": secret, "MODELOPS_POLL_INTERVAL": "250ms", "LISTEN_ADDRESS": ":9000", "PER_MODEL_METRICS": "true",
				"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_NAMESPACE": "ml", "TEMPORAL_TLS": "false",
			},
		},
		"targets with a scheme are gRPC's": {
			environment: map[string]string{"TEMPORAL_ADDRESS": "dns:///temporal.example.com:7233"},
		},
		"a webhook that no default names is offered to policies": {
			environment: map[string]string{"MODELOPS_WEBHOOK_URL": "http://localhost:8000"},
		},
		"a backend that nobody knows": {
			environment: map[string]string{"MODELOPS_BACKEND": "spark"},
			faults:      []string{`MODELOPS_BACKEND: "spark" is no backend of this process; it has log, and could have `},
		},
		"the webhook backend without its URL": {
			environment: map[string]string{"MODELOPS_BACKEND": "webhook"},
			faults:      []string{"MODELOPS_WEBHOOK_URL: is missing"},
		},
		"a secret without a URL to sign for": {
			environment: map[string]string{"MODELOPS_WEBHOOK_SECRET": secret},
			faults:      []string{"MODELOPS_WEBHOOK_URL: is missing"},
		},
		"a profile that does not exist": {
			environment: map[string]string{"TEMPORAL_PROFILE": "nowhere"},
			faults:      []string{"TEMPORAL_*: unable to find profile nowhere"},
		},
		"a certificate without its key": {
			environment: map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": "client.pem"},
			faults:      []string{"TEMPORAL_*: invalid TLS config"},
		},
		"a poll interval of zero": {
			environment: map[string]string{"MODELOPS_POLL_INTERVAL": "0s"},
			faults:      []string{"MODELOPS_POLL_INTERVAL: must be a duration above zero"},
		},
		"a port that can't be": {
			environment: map[string]string{"LISTEN_ADDRESS": "127.0.0.1:65536"},
			faults:      []string{"LISTEN_ADDRESS: must be host:port"},
		},
		"a task queue longer than a server takes": {
			environment: map[string]string{"TASK_QUEUE": strings.Repeat("q", 901)},
			faults:      []string{"TASK_QUEUE: must have at most 900 bytes, has 901"},
		},
		"a behavior of builds without a build": {
			environment: map[string]string{"VERSIONING_BEHAVIOR": "pinned"},
			faults:      []string{"VERSIONING_BEHAVIOR: needs TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID"},
		},
		"every fault is named at once": {environment: allWrong, faults: allFaults},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := configure(test.environment, io.Discard)
			if len(test.faults) == 0 {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.faults), err)
			for i, fault := range test.faults {
				require.True(t, strings.HasPrefix(lines[i], fault), "%q begins with %q", lines[i], fault)
			}
		})
	}
}

// allWrong has every setting wrong that can be, for allFaults.
var (
	allWrong = map[string]string{
		"TASK_QUEUE": "model monitor", "MODELOPS_BACKEND": "spark", "MODELOPS_WEBHOOK_URL": "train.example.com",
		"MODELOPS_WEBHOOK_SECRET": "hunter2", "MODELOPS_POLL_INTERVAL": "soon", "LISTEN_ADDRESS": "9464",
		"VERSIONING_BEHAVIOR": "newest", "PER_MODEL_METRICS": "some", "LOG_LEVEL": "loud", "LOG_FORMAT": "xml",
		"TEMPORAL_TLS": "perhaps", "TEMPORAL_PROFILE": "nowhere", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "t",
	}
	allFaults = []string{
		`TASK_QUEUE: must be a name without spaces, got "model monitor"`,
		`MODELOPS_POLL_INTERVAL: must be a duration above zero such as 15s or 1m30s, got "soon"`,
		`VERSIONING_BEHAVIOR: must be pinned or auto-upgrade, got "newest"`,
		`LISTEN_ADDRESS: must be host:port such as 127.0.0.1:9464, got "9464"`,
		`PER_MODEL_METRICS: must be true or false, got "some"`,
		`LOG_LEVEL: must be debug, info, warn or error, got "loud"`,
		`LOG_FORMAT: must be text or json, got "xml"`,
		`MODELOPS_WEBHOOK_URL: must be an absolute http or https URL`,
		`MODELOPS_WEBHOOK_SECRET: must begin with whsec_`,
		`MODELOPS_BACKEND: "spark" is no backend of this process; it has log, webhook`,
		`TEMPORAL_TLS: must be true or false, got "perhaps"`,
		`TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: must be true or false, got "t"`,
		`TEMPORAL_*: unable to find profile nowhere`,
	}
)

func TestNoFaultTellsASecret(t *testing.T) {
	_, err := configure(map[string]string{"MODELOPS_WEBHOOK_URL": "http://localhost", "MODELOPS_WEBHOOK_SECRET": "hunter2"}, io.Discard)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestADeploymentNeedsABuildAndTheOtherFaultsAreNamedToo(t *testing.T) {
	_, err := parseSettings(map[string]string{"TEMPORAL_DEPLOYMENT_NAME": "monitors", "LOG_FORMAT": "xml"})
	require.ErrorContains(t, err, "TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set both, or neither")
	require.ErrorContains(t, err, "LOG_FORMAT")
	s, err := parseSettings(map[string]string{"TEMPORAL_DEPLOYMENT_NAME": "monitors", "TEMPORAL_WORKER_BUILD_ID": "one"})
	require.NoError(t, err)
	require.True(t, s.deployment().UseVersioning)
	s, err = parseSettings(nil)
	require.NoError(t, err)
	require.False(t, s.deployment().UseVersioning)
}
