package main

import (
	"errors"
	"fmt"
	"strconv"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/activities/notify"
	"github.com/modelvigil/modelvigil/internal/setting"
)

// settings are what the worker reads from its environment, apart from Temporal's
// own variables. A variable that is empty counts as not set. The tags are also
// what -h prints.
type settings struct {
	TaskQueue       setting.TaskQueue `env:"TASK_QUEUE" envDefault:"model-monitor" meaning:"the monitors' task queue; retraining calls use <TASK_QUEUE>-retraining"`
	Backends        backends.Settings
	Notifications   notify.Settings
	PollInterval    setting.Duration  `env:"MODELOPS_POLL_INTERVAL" envDefault:"15s" meaning:"how often a retraining under way is asked after"`
	RetrainingRate  perSecond         `env:"MODELOPS_RATE" meaning:"how many retrainings a second are asked for at most, over all workers of the task queue; the others wait, by the policies' priority"`
	FleetBrake      brake             `env:"FLEET_BRAKE" meaning:"a share of the monitors and a time such as 20%/10m: if more ask for a retraining within it, all are held until modelvigil unfreeze; not set, none are"`
	EncryptionKeys  string            `env:"ENCRYPTION_KEYS_FILE" meaning:"file of keys, ID: BASE64 to a line, the current one first, with which all payloads are encrypted; not set, none are"`
	MustEncrypt     setting.Bool      `env:"ENCRYPTION_REQUIRED" envDefault:"false" meaning:"true: signals and updates that come in the clear are refused"`
	Deployment      string            `env:"TEMPORAL_DEPLOYMENT_NAME" meaning:"the name of the worker deployment, for rolling by builds; see modelvigil roll. Not set, workers have no build"`
	Build           string            `env:"TEMPORAL_WORKER_BUILD_ID" meaning:"the build of this worker in its deployment"`
	Versioning      versioning        `env:"VERSIONING_BEHAVIOR" meaning:"pinned: monitors stay with their build until they continue as new, within minutes of a roll; auto-upgrade: they go on with the current build at their next task. Not set, pinned where the server, 1.32 or later, tells pinned runs of a roll. On a server before 1.31, pinned is for ever"`
	ListenAddress   setting.HostPort  `env:"LISTEN_ADDRESS" envDefault:"127.0.0.1:9464" meaning:"host:port of /healthz, /readyz and /metrics (Prometheus)"`
	PerModelMetrics setting.Bool      `env:"PER_MODEL_METRICS" envDefault:"false" meaning:"true or false: whether /metrics has series of single models, of 1000 models a worker at most"`
	LogLevel        setting.LogLevel  `env:"LOG_LEVEL" envDefault:"info" meaning:"debug, info, warn or error"`
	LogFormat       setting.LogFormat `env:"LOG_FORMAT" envDefault:"text" meaning:"text or json"`
}

// parseSettings reads the settings, or returns an error that names every wrong
// one. What depends on the backends of this worker is checked with them.
func parseSettings(environment map[string]string) (settings, error) {
	s, err := setting.Parse[settings](environment)
	var pair error
	if (s.Deployment == "") != (s.Build == "") {
		pair = errors.New("TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set both, or neither")
	}
	if s.Versioning != versioningDetected && s.Deployment == "" {
		pair = errors.Join(pair, errors.New("VERSIONING_BEHAVIOR: needs TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID"))
	}
	return s, errors.Join(pair, err)
}

// deployment says of which build the workers are. What isn't said to be pinned moves on to
// the current build with its next task: workflows here live too long to stay with one.
func (s settings) deployment() worker.DeploymentOptions {
	if s.Deployment == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: s.Deployment, BuildID: s.Build},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}
}

type perSecond float64

// UnmarshalText reads a rate above zero.
func (r *perSecond) UnmarshalText(text []byte) error {
	rate, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(rate > 0 && rate <= maxRate) {
		return fmt.Errorf("must be a number of retrainings a second above 0 such as 10 or 0.5, got %q", text)
	}
	*r = perSecond(rate)
	return nil
}

// maxRate is more than any server of ours starts.
const maxRate = 1e5
