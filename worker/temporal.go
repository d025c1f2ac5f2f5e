package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// temporalVariables are Temporal's own settings, as -h prints them. They mean
// here what they mean to the temporal CLI; envconfig reads them.
var temporalVariables = []variable{
	{"TEMPORAL_ADDRESS", "localhost:7233", "host:port of the cluster"},
	{"TEMPORAL_NAMESPACE", "default", "the namespace of the monitors"},
	{"TEMPORAL_API_KEY", "", "key of an API key login; turns TLS on"},
	{"TEMPORAL_TLS", "", "true or false: whether to use TLS"},
	{"TEMPORAL_TLS_CLIENT_CERT_PATH", "", "file of the client's certificate; or TEMPORAL_TLS_CLIENT_CERT_DATA"},
	{"TEMPORAL_TLS_CLIENT_KEY_PATH", "", "file of its key; or TEMPORAL_TLS_CLIENT_KEY_DATA"},
	{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "", "file of the authority that signed the server's certificate; or TEMPORAL_TLS_SERVER_CA_CERT_DATA"},
	{"TEMPORAL_TLS_SERVER_NAME", "", "the name that the server's certificate must be for"},
	{"TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "", "true: take any certificate"},
	{"TEMPORAL_CLIENT_AUTHORITY", "", "the :authority header of calls, for a proxy"},
	{"TEMPORAL_CONFIG_FILE", "temporalio/temporal.toml", "file of profiles, by default in the user's configuration directory"},
	{"TEMPORAL_PROFILE", "default", "the profile to take from that file"},
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
	if err := checkTarget(options.HostPort); err != nil {
		faults = append(faults, fmt.Errorf("TEMPORAL_ADDRESS: %w", err))
	}
	return options, errors.Join(faults...)
}

// checkTarget refuses an address without a port. Targets with a scheme of gRPC's
// (dns:///…, unix:…) are left to it.
func checkTarget(target string) error {
	if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "unix:") {
		return nil
	}
	if _, port, err := net.SplitHostPort(target); err != nil || port == "" {
		return fmt.Errorf("must be host:port such as %s, got %q", client.DefaultHostPort, target)
	}
	return nil
}

// lookup lets envconfig read an environment that need not be the process's.
type lookup map[string]string

// Environ is the environment in the form of os.Environ.
func (l lookup) Environ() []string {
	pairs := make([]string, 0, len(l))
	for _, name := range slices.Sorted(maps.Keys(l)) {
		pairs = append(pairs, name+"="+l[name])
	}
	return pairs
}

// LookupEnv is os.LookupEnv on the environment, where empty means not set.
func (l lookup) LookupEnv(name string) (string, bool) {
	value := l[name]
	return value, value != ""
}
