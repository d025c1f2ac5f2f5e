package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
)

const secret = "0123456789abcdef-serving"

func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestATokensFileNamesEveryFault(t *testing.T) {
	_, err := WatchTokens(write(t, filepath.Join(t.TempDir(), "tokens"),
		"# names, tokens, models\nalone\nshort secret\nhash sha256:12\none "+secret+" fraud-*\none "+secret+"\nodd "+secret+" [\ntwo "+secret+"\n"), slog.New(slog.DiscardHandler))
	for _, fault := range []string{
		"line 2: must be NAME TOKEN [MODEL-PATTERN…], has one word",
		`line 3: the token of "short": must have at least 16 characters, has 6; ` + "`openssl rand -hex 24` makes a good one",
		`line 4: the token of "hash": sha256: must be followed by 64 hex digits`,
		`line 6: "one" is the name of another token, too`,
		`line 8: the token of "two" is that of "one", too`,
		`line 7: the pattern "[" of "odd": syntax error in pattern`,
	} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), secret, "no secret may get into a log")

	_, err = WatchTokens(write(t, filepath.Join(t.TempDir(), "tokens"), "# none\n"), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "has no token; a line is: NAME TOKEN [MODEL-PATTERN…]")
	_, err = WatchTokens(filepath.Join(t.TempDir(), "nowhere"), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "no such file")
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	hashed := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("another-long-enough-token")))
	tokens, err := WatchTokens(write(t, path, "serving "+secret+" fraud churn-* # two teams\nall "+hashed+"\n"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := serve(t, Options{Tokens: tokens})
	publish := func(authorization, body string) said {
		headers := []string{contentType, typeJSON}
		if authorization != "" {
			headers = append(headers, "Authorization", authorization)
		}
		return s.ask(t, "/v1/events", body, headers...)
	}
	for authorization, detail := range map[string]string{
		"": "no token; send the header Authorization: Bearer TOKEN", "Basic " + secret: "no token", "Bearer": "no token", "Bearer" + " ": "no token",
		"Bearer " + secret + "x": "this token is not known here", "Bearer " + hashed: "not known",
	} {
		answer := publish(authorization, good)
		assert.Equal(t, http.StatusUnauthorized, answer.status, authorization)
		assert.Contains(t, answer.Detail, detail)
		assert.Equal(t, `Bearer realm="modelvigil"`, answer.header.Get("WWW-Authenticate"))
	}
	assert.Equal(t, http.StatusAccepted, publish("Bearer "+secret, good).status)
	assert.Equal(t, http.StatusAccepted, publish("bearer "+secret, `{"model_name":"churn-eu"}`).status)
	assert.Equal(t, http.StatusAccepted, publish("Bearer another-long-enough-token", `{"model_name":"any"}`).status)

	part := publish("Bearer "+secret, "["+good+`,{"model_name":"prices"}]`)
	assert.Equal(t, http.StatusAccepted, part.status)
	assert.Equal(t, []rejection{{1, "model_name: this token may not publish to it, only to fraud, churn-*"}}, part.Rejected)
	assert.Equal(t, http.StatusForbidden, publish("Bearer "+secret, `{"model_name":"prices"}`).status)
	assert.Equal(t, http.StatusUnprocessableEntity, publish("Bearer "+secret, `[{"model_name":"prices"},{}]`).status)

	write(t, path, "all "+hashed+"\n") // revoked
	patience.Until(t, "the file is read again", func() bool { return publish("Bearer "+secret, good).status == http.StatusUnauthorized })
	write(t, path, "broken\n")
	tokens.file.mu.Lock()
	tokens.file.looked = time.Time{}
	tokens.file.mu.Unlock()
	assert.Equal(t, http.StatusAccepted, publish("Bearer another-long-enough-token", good).status, "a broken file changes nothing")
}

// authority signs certificates of its own.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(signed)
	require.NoError(t, err)
	return &authority{certificate, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

func (a *authority) issue(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signed, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, &private.PublicKey, a.key)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

func TestOnlyClientsWithACertificateAreServed(t *testing.T) {
	dir, ca, stranger := t.TempDir(), newAuthority(t), newAuthority(t)
	certificate, key := ca.issue(t, "gateway")
	certFile, keyFile := write(t, filepath.Join(dir, "cert"), certificate), write(t, filepath.Join(dir, "key"), key)
	security, err := WatchTLS(certFile, keyFile, write(t, filepath.Join(dir, "ca"), ca.pem()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: serve(t, Options{}).Gateway, TLSConfig: security, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	defer func() { _ = server.Close() }()

	type seen struct {
		status   int
		protocol string
		serial   string // of the gateway's certificate
	}
	publish := func(by *authority) (seen, error) {
		roots := x509.NewCertPool()
		roots.AddCert(ca.certificate)
		config := &tls.Config{RootCAs: roots}
		if by != nil {
			certificate, key := by.issue(t, "serving")
			shown, err := tls.X509KeyPair([]byte(certificate), []byte(key))
			require.NoError(t, err)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
		}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Post("https://"+listener.Addr().String()+"/v1/events", typeJSON, strings.NewReader(good))
		if err != nil {
			return seen{}, err
		}
		require.NoError(t, response.Body.Close())
		return seen{response.StatusCode, response.Proto, response.TLS.PeerCertificates[0].SerialNumber.String()}, nil
	}
	served, err := publish(ca)
	require.NoError(t, err)
	assert.Equal(t, http.StatusAccepted, served.status)
	assert.Equal(t, "HTTP/2.0", served.protocol)
	_, err = publish(nil)
	require.Error(t, err)
	_, err = publish(stranger)
	require.Error(t, err)

	certificate, key = ca.issue(t, "gateway")
	write(t, certFile, certificate)
	write(t, keyFile, key)
	patience.Until(t, "a renewed certificate is shown", func() bool {
		renewed, err := publish(ca)
		return err == nil && renewed.serial != served.serial
	})
}

func TestWrongCertificatesAreRefusedAtOnce(t *testing.T) {
	dir, ca := t.TempDir(), newAuthority(t)
	certificate, key := ca.issue(t, "gateway")
	_, other := ca.issue(t, "other")
	certFile, keyFile := write(t, filepath.Join(dir, "cert"), certificate), write(t, filepath.Join(dir, "key"), key)
	log := slog.New(slog.DiscardHandler)
	_, err := WatchTLS(certFile, write(t, filepath.Join(dir, "other"), other), "", log)
	require.ErrorContains(t, err, "certificate and key: tls: private key does not match public key")
	_, err = WatchTLS(certFile, keyFile, write(t, filepath.Join(dir, "ca"), "none"), log)
	require.ErrorContains(t, err, "the clients' authorities: no certificate in PEM form")
	_, err = WatchTLS(certFile, filepath.Join(dir, "nowhere"), "", log)
	require.ErrorContains(t, err, "nowhere: no such file")
}
