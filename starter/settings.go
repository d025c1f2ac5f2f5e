package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caarlos0/env/v10"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/hub/encryption"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

// settings are what the starter reads from its environment, apart from Temporal's
// own variables. A variable that is empty counts as not set. The tags are also
// what -h prints.
type settings struct {
	TaskQueue      taskQueue `env:"TASK_QUEUE" envDefault:"model-monitor" meaning:"the monitors' task queue, as the worker's"`
	EncryptionKeys string    `env:"ENCRYPTION_KEYS_FILE" meaning:"file of keys with which all payloads are encrypted, as the worker's"`
	LogLevel       logLevel  `env:"LOG_LEVEL" envDefault:"info" meaning:"debug, info, warn or error; logs go to standard error"`
	LogFormat      logFormat `env:"LOG_FORMAT" envDefault:"text" meaning:"text or json"`
}

// variable is one setting, as -h prints it.
type variable struct{ name, defaultValue, meaning string }

// temporalVariables are Temporal's own settings. They mean here what they mean to
// the temporal CLI; envconfig reads them.
var temporalVariables = []variable{
	{"TEMPORAL_ADDRESS", client.DefaultHostPort, "host:port of the cluster"},
	{"TEMPORAL_NAMESPACE", client.DefaultNamespace, "the namespace of the monitors"},
	{"TEMPORAL_API_KEY", "", "key of an API key login; turns TLS on"},
	{"TEMPORAL_TLS", "", "true or false: whether to use TLS; TEMPORAL_TLS_* as for the temporal CLI"},
	{"TEMPORAL_CONFIG_FILE", "temporalio/temporal.toml", "file of profiles, by default in the user's configuration directory"},
	{"TEMPORAL_PROFILE", "default", "the profile to take from that file"},
}

// chapters are all settings, as -h and the reference print them.
func chapters() []chapter {
	return []chapter{
		{"Settings", append(variablesOf[settings](), temporalVariables...)},
		{"Settings of OpenTelemetry, for publish, gateway and scrape", traceVariables()},
		{"Settings of starter gateway", variablesOf[gatewaySettings]()},
		{"Settings of starter scrape", variablesOf[scrapeSettings]()},
	}
}

// traceVariables are OpenTelemetry's own settings.
func traceVariables() (variables []variable) {
	for _, s := range telemetry.TraceSettings {
		variables = append(variables, variable{s.Name, s.Default, s.Meaning})
	}
	return variables
}

type chapter struct {
	title     string
	variables []variable
}

func printSettings(w io.Writer) {
	_, _ = fmt.Fprintln(w, "\nSettings are environment variables; one that is empty counts as not set.")
	for _, c := range chapters() {
		_, _ = fmt.Fprintf(w, "\n%s:\n", c.title)
		printVariables(w, c.variables)
	}
	_, _ = fmt.Fprintln(w, "\nExit codes: 0 done, 1 it failed, 2 wrong arguments or settings.")
}

// variablesOf are the fields of some settings.
func variablesOf[S any]() (variables []variable) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[S]()) {
		variables = append(variables, variable{field.Tag.Get("env"), field.Tag.Get("envDefault"), field.Tag.Get("meaning")})
	}
	return variables
}

func printVariables(w io.Writer, variables []variable) {
	for _, v := range variables {
		if v.defaultValue != "" {
			v.meaning += " (default " + v.defaultValue + ")"
		}
		_, _ = fmt.Fprintf(w, "  %-*s %s\n", max(21, len(v.name)), v.name, v.meaning)
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
	s, settingsErr := parseSettings(environment)
	options := &slog.HandlerOptions{Level: slog.Level(s.LogLevel)}
	var handler slog.Handler = slog.NewTextHandler(logs, options)
	if s.LogFormat == "json" {
		handler = slog.NewJSONHandler(logs, options)
	}
	logger := slog.New(handler)
	temporal, temporalErr := parseTemporal(environment)
	temporal.Logger = log.NewStructuredLogger(logger)
	keysErr := encryption.ApplyFile(s.EncryptionKeys, &temporal)
	if keysErr != nil {
		keysErr = fmt.Errorf("ENCRYPTION_KEYS_FILE: %w", keysErr)
	}
	if err := errors.Join(settingsErr, temporalErr, keysErr); err != nil {
		return configuration{}, &usageError{
			err:        fmt.Errorf("%w\nthe environment has wrong settings, named above; starter -h lists them", err),
			ofSettings: true,
		}
	}
	return configuration{s, temporal, logger}, nil
}

// parseSettings reads our settings, or returns an error that names every wrong one.
func parseSettings(environment map[string]string) (settings, error) {
	var s settings
	err := env.ParseWithOptions(&s, env.Options{Environment: environment})
	return s, namedFaults[settings](err)
}

// namedFaults names the variable in each fault of parsing the settings S.
func namedFaults[S any](err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var faults []error
	for _, fault := range all.Errors {
		var parse env.ParseError
		if errors.As(fault, &parse) {
			field, _ := reflect.TypeFor[S]().FieldByName(parse.Name)
			fault = fmt.Errorf("%s: %w", field.Tag.Get("env"), parse.Err)
		}
		faults = append(faults, fault)
	}
	return errors.Join(faults...)
}

// parseTemporal reads Temporal's settings. It also refuses what envconfig passes
// over, for a misspelt TEMPORAL_TLS must not mean a connection without TLS.
func parseTemporal(environment map[string]string) (client.Options, error) {
	var faults []error
	for _, name := range []string{"TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"} {
		value := environment[name]
		if !slices.Contains([]string{"", "0", "1", "false", "true"}, strings.ToLower(value)) {
			faults = append(faults, fmt.Errorf("%s: must be true or false, got %q", name, value))
		}
	}
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: lookup(environment)})
	if err != nil {
		faults = append(faults, fmt.Errorf("TEMPORAL_*: %w", err))
	}
	if target := options.HostPort; target != "" && !strings.Contains(target, "://") && !strings.HasPrefix(target, "unix:") {
		if _, port, err := net.SplitHostPort(target); err != nil || port == "" {
			faults = append(faults, fmt.Errorf("TEMPORAL_ADDRESS: must be host:port such as %s, got %q", client.DefaultHostPort, target))
		}
	}
	return options, errors.Join(faults...)
}

// lookup lets envconfig read an environment in which empty means not set.
type lookup map[string]string

// Environ is the environment in the form of os.Environ.
func (l lookup) Environ() []string {
	pairs := make([]string, 0, len(l))
	for name, value := range l {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// LookupEnv is os.LookupEnv, but for empty variables.
func (l lookup) LookupEnv(name string) (string, bool) {
	value := l[name]
	return value, value != ""
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
