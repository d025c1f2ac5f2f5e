package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caarlos0/env/v10"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/modelvigil/modelvigil/activities/backends"
	"github.com/modelvigil/modelvigil/activities/notify"
)

// settings are what the worker reads from its environment, apart from Temporal's
// own variables. A variable that is empty counts as not set. The tags are also
// what -h prints.
type settings struct {
	TaskQueue       taskQueue `env:"TASK_QUEUE" envDefault:"model-monitor" meaning:"the monitors' task queue; retraining calls use <TASK_QUEUE>-retraining"`
	Backends        backends.Settings
	Notifications   notify.Settings
	PollInterval    interval      `env:"MODELOPS_POLL_INTERVAL" envDefault:"15s" meaning:"how often a retraining under way is asked after"`
	RetrainingRate  perSecond     `env:"MODELOPS_RATE" meaning:"how many retrainings a second are asked for at most, over all workers of the task queue; the others wait, by the policies' priority"`
	FleetBrake      brake         `env:"FLEET_BRAKE" meaning:"a share of the monitors and a time such as 20%/10m: if more ask for a retraining within it, all are held until starter unfreeze; not set, none are"`
	EncryptionKeys  string        `env:"ENCRYPTION_KEYS_FILE" meaning:"file of keys, ID: BASE64 to a line, the current one first, with which all payloads are encrypted; not set, none are"`
	MustEncrypt     toggle        `env:"ENCRYPTION_REQUIRED" envDefault:"false" meaning:"true: updates that come in the clear are refused"`
	Deployment      string        `env:"TEMPORAL_DEPLOYMENT_NAME" meaning:"the name of the worker deployment, for rolling by builds; see starter roll. Not set, workers have no build"`
	Build           string        `env:"TEMPORAL_WORKER_BUILD_ID" meaning:"the build of this worker in its deployment"`
	ListenAddress   listenAddress `env:"LISTEN_ADDRESS" envDefault:"127.0.0.1:9464" meaning:"host:port of /healthz, /readyz and /metrics (Prometheus)"`
	PerModelMetrics toggle        `env:"PER_MODEL_METRICS" envDefault:"false" meaning:"true or false: whether /metrics has series of single models, of 1000 models a worker at most"`
	LogLevel        logLevel      `env:"LOG_LEVEL" envDefault:"info" meaning:"debug, info, warn or error"`
	LogFormat       logFormat     `env:"LOG_FORMAT" envDefault:"text" meaning:"text or json"`
}

// parseSettings reads the settings, or returns an error that names every wrong
// one. What depends on the backends of this worker is checked with them.
func parseSettings(environment map[string]string) (settings, error) {
	var s settings
	err := env.ParseWithOptions(&s, env.Options{Environment: environment})
	var faults []error
	if (s.Deployment == "") != (s.Build == "") {
		faults = append(faults, errors.New("TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set both, or neither"))
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return s, errors.Join(append(faults, err)...)
	}
	for _, fault := range all.Errors {
		var parse env.ParseError
		if errors.As(fault, &parse) {
			fault = fmt.Errorf("%s: %w", variableOf(parse.Name), parse.Err)
		}
		faults = append(faults, fault)
	}
	return s, errors.Join(faults...)
}

// deployment says of which build the workers are. Monitors move on to the current
// build with their next task: they live too long to stay with one.
func (s settings) deployment() worker.DeploymentOptions {
	if s.Deployment == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: s.Deployment, BuildID: s.Build},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}
}

// variableOf is the environment variable that a field of the settings is read from.
func variableOf(field string) string {
	f, _ := reflect.TypeFor[settings]().FieldByName(field)
	return f.Tag.Get("env")
}

// maxTaskQueueBytes leaves room for the suffix of the retraining queue in what a
// server takes as the name of a task queue (limit.maxIDLength, 1000).
const maxTaskQueueBytes = 900

type taskQueue string

// UnmarshalText refuses what a server would not take as the name of a task queue.
func (q *taskQueue) UnmarshalText(text []byte) error {
	switch name := string(text); {
	case len(name) > maxTaskQueueBytes:
		return fmt.Errorf("must have at most %d bytes, has %d", maxTaskQueueBytes, len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("must be a name without spaces, got %q", name)
	default:
		*q = taskQueue(name)
		return nil
	}
}

type interval time.Duration

// UnmarshalText reads a duration above zero.
func (i *interval) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("must be a duration above zero such as 15s or 1m30s, got %q", text)
	}
	*i = interval(d)
	return nil
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

type listenAddress string

// UnmarshalText reads host:port; no host means every address of the machine,
// port 0 means any that is free.
func (a *listenAddress) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("must be host:port such as 127.0.0.1:9464, got %q", text)
	}
	*a = listenAddress(text)
	return nil
}

type toggle bool

// UnmarshalText reads true or false.
func (t *toggle) UnmarshalText(text []byte) error {
	switch value := strings.ToLower(string(text)); value {
	case "true", "false":
		*t = value == "true"
		return nil
	}
	return fmt.Errorf("must be true or false, got %q", text)
}

type logLevel slog.Level

// UnmarshalText reads the name of a level of log/slog.
func (l *logLevel) UnmarshalText(text []byte) error {
	var level slog.Level
	if err := level.UnmarshalText(text); err != nil {
		return fmt.Errorf("must be debug, info, warn or error, got %q", text)
	}
	*l = logLevel(level)
	return nil
}

type logFormat string

// UnmarshalText reads the name of a handler of log/slog.
func (f *logFormat) UnmarshalText(text []byte) error {
	if name := strings.ToLower(string(text)); slices.Contains([]string{"text", "json"}, name) {
		*f = logFormat(name)
		return nil
	}
	return fmt.Errorf("must be text or json, got %q", text)
}
