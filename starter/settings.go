package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/caarlos0/env/v10"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

// settings are what modelvigil reads from its environment, apart from Temporal's
// own variables. A variable that is empty counts as not set. The tags are also
// what -h prints.
type settings struct {
	TaskQueue      setting.TaskQueue `env:"TASK_QUEUE" envDefault:"model-monitor" meaning:"the monitors' task queue, as the worker's"`
	EncryptionKeys string            `env:"ENCRYPTION_KEYS_FILE" meaning:"file of keys with which all payloads are encrypted, as the worker's"`
	LogLevel       setting.LogLevel  `env:"LOG_LEVEL" envDefault:"info" meaning:"debug, info, warn or error; logs go to standard error"`
	LogFormat      setting.LogFormat `env:"LOG_FORMAT" envDefault:"text" meaning:"text or json"`
}

// temporalVariables are Temporal's own settings. They mean here what they mean to
// the temporal CLI; envconfig reads them.
var temporalVariables = []setting.Variable{
	{Name: "TEMPORAL_ADDRESS", Default: client.DefaultHostPort, Meaning: "host:port of the cluster"},
	{Name: "TEMPORAL_NAMESPACE", Default: client.DefaultNamespace, Meaning: "the namespace of the monitors"},
	{Name: "TEMPORAL_API_KEY", Meaning: "key of an API key login; turns TLS on"},
	{Name: "TEMPORAL_TLS", Meaning: "true or false: whether to use TLS; TEMPORAL_TLS_* as for the temporal CLI"},
	{Name: "TEMPORAL_CONFIG_FILE", Default: "temporalio/temporal.toml", Meaning: "file of profiles, by default in the user's configuration directory"},
	{Name: "TEMPORAL_PROFILE", Default: "default", Meaning: "the profile to take from that file"},
}

// chapters are all settings, as -h and the reference print them.
func chapters() []chapter {
	return []chapter{
		{"Settings", append(setting.Variables[settings](), temporalVariables...)},
		{"Settings of OpenTelemetry, for publish, gateway and scrape", telemetry.TraceSettings},
		{"Settings of modelvigil gateway", setting.Variables[gatewaySettings]()},
		{"Settings of modelvigil scrape", setting.Variables[scrapeSettings]()},
	}
}

type chapter struct {
	title     string
	variables []setting.Variable
}

func printSettings(w io.Writer) {
	_, _ = fmt.Fprintln(w, "\nSettings are environment variables; one that is empty counts as not set.")
	for _, c := range chapters() {
		_, _ = fmt.Fprintf(w, "\n%s:\n", c.title)
		printVariables(w, c.variables)
	}
	_, _ = fmt.Fprintln(w, "\nExit codes: 0 done, 1 it failed, 2 wrong arguments or settings.")
}

func printVariables(w io.Writer, variables []setting.Variable) {
	for _, v := range variables {
		if v.Default != "" {
			v.Meaning += " (default " + v.Default + ")"
		}
		_, _ = fmt.Fprintf(w, "  %-*s %s\n", max(21, len(v.Name)), v.Name, v.Meaning)
	}
}

// configuration is everything that the environment decides.
type configuration struct {
	settings settings
	temporal client.Options
	log      *slog.Logger
}

// configure reads the environment, and names every fault of it.
func configure(logs io.Writer) (configuration, error) {
	environment := env.ToMap(os.Environ())
	s, settingsErr := setting.Parse[settings](environment)
	logger := setting.NewLogger(s.LogLevel, s.LogFormat, logs)
	temporal, temporalErr := setting.ParseTemporal(environment)
	temporal.Logger = log.NewStructuredLogger(logger)
	keysErr := encryption.ApplyFile(s.EncryptionKeys, &temporal)
	if keysErr != nil {
		keysErr = fmt.Errorf("ENCRYPTION_KEYS_FILE: %w", keysErr)
	}
	if err := errors.Join(settingsErr, temporalErr, keysErr); err != nil {
		return configuration{}, &usageError{
			err:        fmt.Errorf("%w\nthe environment has wrong settings, named above; modelvigil -h lists them", err),
			ofSettings: true,
		}
	}

	return configuration{s, temporal, logger}, nil
}
