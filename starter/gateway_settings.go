package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/modelvigil/modelvigil/gateway"
	"github.com/modelvigil/modelvigil/gateway/otlp"
	"github.com/modelvigil/modelvigil/internal/setting"
)

// gatewaySettings are what `modelvigil gateway` reads from its environment besides.
type gatewaySettings struct {
	Address          setting.HostPort `env:"GATEWAY_ADDRESS" envDefault:"127.0.0.1:8080" meaning:"host:port where events are taken"`
	HealthAddress    setting.HostPort `env:"GATEWAY_HEALTH_ADDRESS" envDefault:"127.0.0.1:9465" meaning:"host:port of /healthz, /readyz and /metrics (Prometheus)"`
	TokensFile       string           `env:"GATEWAY_TOKENS_FILE" meaning:"file of bearer tokens, to a line NAME TOKEN [MODEL-PATTERN…]; read again when it changes"`
	TLSCertFile      string           `env:"GATEWAY_TLS_CERT_FILE" meaning:"PEM file of the server's certificate; turns TLS on; read again when it changes, as the two below"`
	TLSKeyFile       string           `env:"GATEWAY_TLS_KEY_FILE" meaning:"PEM file of its key"`
	TLSClientCAFile  string           `env:"GATEWAY_TLS_CLIENT_CA_FILE" meaning:"PEM file of authorities: only clients with a certificate of theirs are served"`
	OTLPMappingFile  string           `env:"GATEWAY_OTLP_MAPPING_FILE" meaning:"YAML file that says which OpenTelemetry metrics are readings of which model; docs/feeding.md"`
	AllowAnonymous   setting.Bool     `env:"GATEWAY_ALLOW_ANONYMOUS" envDefault:"false" meaning:"true: without tokens and client certificates, listen beyond loopback all the same"`
	MaxBodyBytes     positive         `env:"GATEWAY_MAX_BODY_BYTES" envDefault:"8388608" meaning:"of one request, also once it is decompressed"`
	MaxPendingEvents positive         `env:"GATEWAY_MAX_PENDING_EVENTS" envDefault:"100000000" meaning:"accepted and not durable yet; beyond it requests are answered 429"`
	MaxPendingBytes  positive         `env:"GATEWAY_MAX_PENDING_BYTES" envDefault:"134217728" meaning:"memory of what these are folded into; beyond it requests are answered 429"`
	SignalRate       positive         `env:"GATEWAY_SIGNAL_RATE" envDefault:"50" meaning:"signals a second to Temporal at most, over all models; with many models healthy ones report less often, or set more"`
	DurableTimeout   setting.Duration `env:"GATEWAY_DURABLE_TIMEOUT" envDefault:"30s" meaning:"how long a request with durable=true waits"`
	StopTimeout      setting.Duration `env:"GATEWAY_STOP_TIMEOUT" envDefault:"25s" meaning:"how long SIGTERM waits until all that was accepted is durable"`
}

// parseGatewaySettings returns an error that names every wrong setting.
func parseGatewaySettings(environment map[string]string) (gatewaySettings, error) {
	s, err := setting.Parse[gatewaySettings](environment)
	faults := []error{err}
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		faults = append(faults, errors.New("GATEWAY_TLS_CERT_FILE, GATEWAY_TLS_KEY_FILE: must be given together"))
	}
	if s.TLSClientCAFile != "" && s.TLSCertFile == "" {
		faults = append(faults, errors.New("GATEWAY_TLS_CLIENT_CA_FILE: needs GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE"))
	}
	if s.TokensFile == "" && s.TLSClientCAFile == "" && !bool(s.AllowAnonymous) && !s.Address.IsLoopback() {
		faults = append(faults, fmt.Errorf("GATEWAY_ADDRESS: anybody who reaches %s could publish; set GATEWAY_TOKENS_FILE or GATEWAY_TLS_CLIENT_CA_FILE, "+
			"listen on 127.0.0.1, or say GATEWAY_ALLOW_ANONYMOUS=true", s.Address))
	}

	return s, errors.Join(faults...)
}

type positive int64

// UnmarshalText reads a whole number above zero.
func (p *positive) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n <= 0 {
		return fmt.Errorf("must be a whole number above 0, got %q", text)
	}
	*p = positive(n)
	return nil
}

// options are the gateway's, as the settings say.
func (s gatewaySettings) options(c configuration) (gateway.Options, error) {
	options := gateway.Options{
		Logger: c.log, MaxBody: int64(s.MaxBodyBytes), MaxPendingEvents: int64(s.MaxPendingEvents),
		MaxPendingBytes: int64(s.MaxPendingBytes), DurableTimeout: time.Duration(s.DurableTimeout),
	}
	options.Local = s.Address.IsLoopback() && !bool(s.AllowAnonymous)
	mapping, err := s.otlpMapping()
	if err != nil {
		return options, err
	}
	options.Routes = gatewayRoutes(mapping, c.log)
	if s.TokensFile == "" {
		return options, nil
	}

	tokens, err := gateway.WatchTokens(s.TokensFile, c.log)
	if err != nil {
		return options, fmt.Errorf("GATEWAY_TOKENS_FILE: %w", err)
	}

	options.Tokens = tokens
	return options, nil
}

func (s gatewaySettings) otlpMapping() (otlp.Mapping, error) {
	if s.OTLPMappingFile == "" {
		return otlp.Mapping{}, nil
	}
	mapping, err := otlp.ReadMapping(s.OTLPMappingFile)
	if err != nil {
		return mapping, fmt.Errorf("GATEWAY_OTLP_MAPPING_FILE: %w", err)
	}
	return mapping, nil
}
