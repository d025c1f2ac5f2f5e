package setting

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// ParseTemporal reads Temporal's own settings, which mean here what they mean to the
// temporal CLI. It also refuses what envconfig passes over, for a misspelt
// TEMPORAL_TLS must not mean a connection without TLS.
func ParseTemporal(environment map[string]string) (client.Options, error) {
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
	for name, value := range l {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// LookupEnv is os.LookupEnv on the environment, where empty means not set.
func (l lookup) LookupEnv(name string) (string, bool) {
	value := l[name]
	return value, value != ""
}
