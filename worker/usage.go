package main

import (
	"fmt"
	"io"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

const usage = `modelvigil-worker runs the monitors of modelvigil and their calls to ModelOps backends, until SIGTERM.

  modelvigil-worker            run; a Temporal server that is away is waited for
  modelvigil-worker -ready     ask the worker on LISTEN_ADDRESS whether it is ready: exit code 0, else 1
  modelvigil-worker -version   which release this is
  modelvigil-worker -h         this help

Exit codes: 0 stopped as asked, 1 it failed, 2 wrong arguments or settings.
All settings are environment variables; one that is empty counts as not set.
`

func printUsage(w io.Writer) {
	_, _ = fmt.Fprint(w, usage)
	printVariables(w, "Settings of modelvigil:", setting.Variables[settings]())
	printVariables(w, "Temporal's own settings, as for the temporal CLI:", temporalVariables)
	printVariables(w, "OpenTelemetry's own settings:", telemetry.TraceSettings)
}

func printVariables(w io.Writer, title string, variables []setting.Variable) {
	_, _ = fmt.Fprintf(w, "\n%s\n\n", title)
	for _, v := range variables {
		if v.Default != "" {
			v.Default = " (default " + v.Default + ")"
		}
		_, _ = fmt.Fprintf(w, "  %s%s\n      %s\n", v.Name, v.Default, v.Meaning)
	}
}

// temporalVariables are Temporal's own settings, as -h prints them. They mean
// here what they mean to the temporal CLI; envconfig reads them.
var temporalVariables = []setting.Variable{
	{Name: "TEMPORAL_ADDRESS", Default: "localhost:7233", Meaning: "host:port of the cluster"},
	{Name: "TEMPORAL_NAMESPACE", Default: "default", Meaning: "the namespace of the monitors"},
	{Name: "TEMPORAL_API_KEY", Meaning: "key of an API key login; turns TLS on"},
	{Name: "TEMPORAL_TLS", Meaning: "true or false: whether to use TLS"},
	{Name: "TEMPORAL_TLS_CLIENT_CERT_PATH", Meaning: "file of the client's certificate; or TEMPORAL_TLS_CLIENT_CERT_DATA"},
	{Name: "TEMPORAL_TLS_CLIENT_KEY_PATH", Meaning: "file of its key; or TEMPORAL_TLS_CLIENT_KEY_DATA"},
	{Name: "TEMPORAL_TLS_SERVER_CA_CERT_PATH", Meaning: "file of the authority that signed the server's certificate; or TEMPORAL_TLS_SERVER_CA_CERT_DATA"},
	{Name: "TEMPORAL_TLS_SERVER_NAME", Meaning: "the name that the server's certificate must be for"},
	{Name: "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", Meaning: "true: take any certificate"},
	{Name: "TEMPORAL_CLIENT_AUTHORITY", Meaning: "the :authority header of calls, for a proxy"},
	{Name: "TEMPORAL_CONFIG_FILE", Default: "temporalio/temporal.toml", Meaning: "file of profiles, by default in the user's configuration directory"},
	{Name: "TEMPORAL_PROFILE", Default: "default", Meaning: "the profile to take from that file"},
}
