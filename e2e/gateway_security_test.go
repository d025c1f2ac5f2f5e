package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

func TestGatewayRefusesSettingsThatWouldLetAnybodyIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  []string
		says []string
	}{
		"beyond loopback":     {[]string{"GATEWAY_ADDRESS=0.0.0.0:0"}, []string{"GATEWAY_ADDRESS: anybody who reaches 0.0.0.0:0 could publish; set GATEWAY_TOKENS_FILE or GATEWAY_TLS_CLIENT_CA_FILE, listen on 127.0.0.1, or say GATEWAY_ALLOW_ANONYMOUS=true"}},
		"on every address":    {[]string{"GATEWAY_ADDRESS=:0"}, []string{"anybody who reaches :0"}},
		"half of TLS":         {[]string{"GATEWAY_TLS_CERT_FILE=x"}, []string{"GATEWAY_TLS_CERT_FILE, GATEWAY_TLS_KEY_FILE: must be given together"}},
		"authorities alone":   {[]string{"GATEWAY_TLS_CLIENT_CA_FILE=x"}, []string{"GATEWAY_TLS_CLIENT_CA_FILE: needs GATEWAY_TLS_CERT_FILE"}},
		"every wrong setting": {[]string{"GATEWAY_ADDRESS=here", "GATEWAY_MAX_BODY_BYTES=0", "GATEWAY_DURABLE_TIMEOUT=soon", "GATEWAY_ALLOW_ANONYMOUS=perhaps", "LOG_LEVEL=loud"}, []string{`GATEWAY_ADDRESS: must be host:port such as 127.0.0.1:8080, got "here"`, "GATEWAY_MAX_BODY_BYTES: must be a whole number above 0", "GATEWAY_DURABLE_TIMEOUT: must be a duration above zero", `GATEWAY_ALLOW_ANONYMOUS: must be true or false, got "perhaps"`, "LOG_LEVEL: must be"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, starterPath, []string{"gateway"}, append(environment("gateway-settings"), test.env...)...)
			p.done <- <-p.done
			assert.Equal(t, 2, p.cmd.ProcessState.ExitCode())
			for _, say := range test.says {
				assert.Contains(t, p.output.String(), say)
			}
		})
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("short 123\n"), 0o600))
	p := start(t, starterPath, []string{"gateway"}, append(environment("gateway-settings"), "GATEWAY_TOKENS_FILE="+tokens)...)
	p.done <- <-p.done
	assert.Equal(t, 1, p.cmd.ProcessState.ExitCode())
	assert.Contains(t, p.output.String(), `GATEWAY_TOKENS_FILE: `+tokens+`: line 1: the token of "short": must have at least 16 characters`)
}

func TestGatewayKnowsWhoSends(t *testing.T) {
	t.Parallel()
	const queue, token = "gateway-auth", "0123456789abcdef-e2e"
	startWorker(t, queue)
	dir := t.TempDir()
	certificate, pool := selfSigned(t, dir)
	tokens := filepath.Join(dir, "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("serving "+token+" gateway-auth*\n"), 0o600))
	g := startGateway(t, queue, "GATEWAY_TOKENS_FILE="+tokens, "LOG_LEVEL=debug",
		"GATEWAY_TLS_CERT_FILE="+filepath.Join(dir, "cert.pem"), "GATEWAY_TLS_KEY_FILE="+filepath.Join(dir, "key.pem"), "GATEWAY_TLS_CLIENT_CA_FILE="+filepath.Join(dir, "cert.pem"))
	g.url = strings.Replace(g.url, "http://", "https://", 1)
	client := func(certificates ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}, DisableKeepAlives: true}}
	}
	const event = `{"model_name":"gateway-auth-1","accuracy":0.95}`
	g.client = client()
	_, err := g.tryPublish("/v1/events", event, append(asJSON, "Authorization", "Bearer "+token)...)
	require.Error(t, err, "no certificate")
	g.client = client(certificate)
	assert.Equal(t, 401, g.publish(t, "/v1/events", event, asJSON...).status)
	assert.Equal(t, 401, g.publish(t, "/v1/events", event, append(asJSON, "Authorization", "Bearer wrong")...).status)
	assert.Equal(t, 403, g.publish(t, "/v1/events", `{"model_name":"other"}`, append(asJSON, "Authorization", "Bearer "+token)...).status)
	assert.Equal(t, 200, g.publish(t, "/v1/events?durable=true", event, append(asJSON, "Authorization", "Bearer "+token)...).status)
	until(t, "gateway-auth-1", "it is counted", func(s monitor.Status) bool { return s.Events == 1 })
	assert.Zero(t, g.terminate(t))
	assert.NotContains(t, g.output.String(), token)
}

func TestGatewayEnrolsAsItIsTold(t *testing.T) {
	t.Parallel()
	g := launchGateway(t, "gateway-enrol", []string{"--enrol", "refuse"})
	patience.Until(t, "the gateway is ready", func() bool { return shown(t, "http://"+g.health+"/readyz") == "ready\n" })
	answer := g.publish(t, "/v1/events?durable=true", `{"model_name":"gateway-enrol"}`, asJSON...)
	assert.Equal(t, 409, answer.status)
	assert.Contains(t, answer.Detail, "not enrolled")
	assert.Zero(t, g.terminate(t), "what was refused for good keeps nobody from stopping")
}

// The document says what the gateway does: schemathesis finds nothing.
func TestGatewayKeepsToItsDocument(t *testing.T) {
	t.Parallel()
	schemathesis := os.Getenv("MODELVIGIL_SCHEMATHESIS")
	if schemathesis == "" {
		t.Skip("needs schemathesis: `make e2e-gateway` installs it, and sets MODELVIGIL_SCHEMATHESIS to its path")
	}
	const token = "0123456789abcdef-e2e"
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("schemathesis "+token+"\n"), 0o600))
	g := startGateway(t, "gateway-document", "GATEWAY_TOKENS_FILE="+tokens)
	hooks, err := filepath.Abs("../tools/schemathesis")
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), schemathesis, "run", g.url+"/v1/openapi.json", "-H", "Authorization: Bearer "+token,
		"--checks", "all", "--exclude-checks", "negative_data_rejection", "--max-examples", "200", "--seed", "1", "--no-color")
	run.Dir = t.TempDir()
	run.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONPATH="+hooks)
	found, err := run.CombinedOutput()
	t.Log(string(found))
	require.NoError(t, err)
	assert.Contains(t, string(found), "No issues found")
}

// selfSigned writes cert.pem and key.pem, and returns what a client needs to show
// and to trust it.
func selfSigned(t *testing.T, dir string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), certificate, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), secret, 0o600))
	pair, err := tls.X509KeyPair(certificate, secret)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certificate))
	return pair, pool
}
