package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/setting"
	"github.com/modelvigil/modelvigil/workflows/telemetry"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

// docs/settings.md is what `modelvigil-worker -h` says: `make reference` writes it.
func TestTheReferenceIsWhatTheWorkerSays(t *testing.T) {
	const path = "../docs/settings.md"
	var page strings.Builder
	page.WriteString("# Settings of the worker\n\nMade by `make reference` from what `modelvigil-worker -h` says; those of `modelvigil` are in [cli.md](cli.md#settings).\n\n" +
		"All are environment variables; one that is empty counts as not set.\n")
	table(&page, "Its own", setting.Variables[settings]())
	table(&page, "Temporal's, as for the temporal CLI", temporalVariables)
	table(&page, "OpenTelemetry's", telemetry.TraceSettings)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page.String()), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, page.String(), string(written), "run `make reference`")
}

func table(page *strings.Builder, title string, variables []setting.Variable) {
	_, _ = fmt.Fprintf(page, "\n## %s\n\n| variable | default | meaning |\n|---|---|---|\n", title)
	for _, v := range variables {
		if v.Default != "" {
			v.Default = "`" + v.Default + "`"
		}
		_, _ = fmt.Fprintf(page, "| `%s` | %s | %s |\n", v.Name, v.Default, strings.NewReplacer("|", `\|`, "<", `\<`).Replace(v.Meaning))
	}
}
