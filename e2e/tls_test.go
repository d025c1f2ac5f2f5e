package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// authority signs certificates of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func (a *authority) write(name, kind string, der []byte) {
	require.NoError(a.t, os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// sign makes NAME.pem and NAME.key.
func (a *authority) sign(name string) {
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", private)
}

// startFront puts TLS before the server, as Temporal Cloud and most clusters have
// it, and lets in who has a certificate of the authority or, if a key is given, it.
func startFront(t *testing.T, a *authority, apiKey string) (address string) {
	t.Helper()
	a.sign("server")
	cert, err := tls.LoadX509KeyPair(a.path("server.pem"), a.path("server.key"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	security := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	if apiKey == "" {
		security.ClientAuth, security.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	backend := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: server.FrontendHostPort()}) },
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
	}
	front := &http.Server{
		TLSConfig: security, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if apiKey != "" && r.Header.Get("Authorization") != "Bearer "+apiKey {
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Grpc-Status", "16")
				w.Header().Set("Grpc-Message", "Request unauthorized.")
				return
			}
			backend.ServeHTTP(w, r)
		}),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = front.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = front.Close(); transport.CloseIdleConnections() })
	return listener.Addr().String()
}

// watches runs a worker and a model's whole way with further settings.
func watches(t *testing.T, queue string, env []string) {
	t.Helper()
	startWorker(t, queue, env...)
	starterWith(t, queue, breach(queue)+"\n", env, "publish", "--file", "-")
	patience.Until(t, "the retraining is accepted", func() bool {
		return status(t, queue).Retrainings.Accepted == 1
	})
	assert.Contains(t, starterWith(t, queue, "", env, "status", queue), "accepted")
}

func TestMutualTLSToTheServer(t *testing.T) {
	t.Parallel()
	const queue = "mtls"
	a := newAuthority(t)
	a.sign("client")
	address := startFront(t, a, "")
	ca := []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_TLS=true", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + a.path("ca.pem")}
	watches(t, queue, append(ca, "TEMPORAL_TLS_CLIENT_CERT_PATH="+a.path("client.pem"), "TEMPORAL_TLS_CLIENT_KEY_PATH="+a.path("client.key")))

	other := newAuthority(t)
	other.sign("client")
	for what, env := range map[string][]string{
		"no certificate":               ca,
		"a certificate of another one": append(ca, "TEMPORAL_TLS_CLIENT_CERT_PATH="+other.path("client.pem"), "TEMPORAL_TLS_CLIENT_KEY_PATH="+other.path("client.key")),
		"another authority":            {"TEMPORAL_ADDRESS=" + address, "TEMPORAL_TLS=true", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + other.path("ca.pem")},
		"no TLS":                       {"TEMPORAL_ADDRESS=" + address},
	} {
		out, code := refusedWith(t, queue, env, "status", queue, "--timeout", "3s")
		assert.Equal(t, 1, code, what)
		assert.Contains(t, out, "connect to Temporal at "+address, what)
	}
}

func TestAnAPIKeyToTheServer(t *testing.T) {
	t.Parallel()
	const queue, key = "apikey", "canarykeycanarykey"
	a := newAuthority(t)
	env := func(key string) []string {
		return []string{"TEMPORAL_ADDRESS=" + startFront(t, a, "canarykeycanarykey"), "TEMPORAL_API_KEY=" + key, "TEMPORAL_TLS_SERVER_CA_CERT_PATH=" + a.path("ca.pem")}
	}
	watches(t, queue, env(key))
	out, code := refusedWith(t, queue, env("wrongcanarywrongcanary"), "status", queue)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "unauthorized")
	assert.NotContains(t, out, "canary")
}
