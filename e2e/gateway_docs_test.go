package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// The publisher of docs/gateway.md, word for word, with a gateway that comes late,
// and with bad events among the good ones.
func TestGatewayTakesWhatThePublisherOfItsDocsSends(t *testing.T) {
	t.Parallel()
	const queue = "gateway-docs"
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3 on the PATH")
	}
	docs, err := os.ReadFile("../docs/gateway.md")
	require.NoError(t, err)
	_, publisher, found := strings.Cut(string(docs), "```python\n")
	publisher, _, ends := strings.Cut(publisher, "```")
	require.True(t, found && ends)
	startWorker(t, queue)
	address, health := freeAddress(t), freeAddress(t)
	script := filepath.Join(t.TempDir(), "publish.py")
	require.NoError(t, os.WriteFile(script, []byte(publisher+`
events, begin = Publisher("http://`+address+`"), time.monotonic()
for i in range(20_000):
    events.publish(model_name="gateway-docs", model_version="v1", accuracy=0.95, latency_ms=84 + i / 1000)
events.publish(model_name="gateway-docs", acuracy=0.95)
events.publish(model_name="gateway-docs", model_version="v1", metrics={"auc": 0.91})
print("sending", flush=True)
events.close()
print("all is accepted", flush=True)
`), 0o600))
	p := start(t, python, []string{script})
	patience.Until(t, "it has events and no gateway", func() bool { return strings.Contains(p.output.String(), "sending") })
	start(t, starterPath, []string{"gateway"}, append(environment(queue), "GATEWAY_ADDRESS="+address, "GATEWAY_HEALTH_ADDRESS="+health)...)
	err = <-p.done
	p.done <- err
	require.NoError(t, err, p.output.String())
	require.Contains(t, p.output.String(), "acuracy: unknown field")
	require.Contains(t, p.output.String(), "all is accepted")
	until(t, "gateway-docs", "all good ones are counted", func(s monitor.Status) bool { return s.Events == 20_001 })
}
