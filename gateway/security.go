package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
)

// WatchTLS returns how to serve TLS with a certificate and its key, PEM files that
// are read again when they change. With a file of authorities only clients are
// served that show a certificate of one of them.
func WatchTLS(certFile, keyFile, clientCAFile string, log *slog.Logger) (*tls.Config, error) {
	paths := []string{certFile, keyFile}
	if clientCAFile != "" {
		paths = append(paths, clientCAFile)
	}
	file, err := watch(log, parseTLS, paths...)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return file.get(), nil },
	}, nil
}

// parseTLS reads a certificate, its key and, where there are three, authorities.
func parseTLS(contents [][]byte) (*tls.Config, error) {
	certificate, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}

	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"},
	}
	if len(contents) > 2 {
		config.ClientCAs = x509.NewCertPool()
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(contents[2]) {
			return nil, errors.New("the clients' authorities: no certificate in PEM form")
		}
	}

	return config, nil
}
