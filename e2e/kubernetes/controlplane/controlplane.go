// Package controlplane runs a Kubernetes control plane for tests: etcd, the API
// server, with RBAC, and the controller manager, as processes of the test on
// loopback addresses. There are no nodes: pods stay pending until the test writes
// their status, as a kubelet would.
package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// Variable names the directory that has kube-apiserver and
// kube-controller-manager; without it tests that need them are skipped.
const Variable = "MODELVIGIL_KUBERNETES"

// startTimeout is for a busy machine: alone, each process takes seconds.
const startTimeout = patience.Limit

// ControlPlane is one that runs. Stop it.
type ControlPlane struct {
	dir, programs    string
	pki              pki
	etcdURL, address string

	etcd, apiServer, controllers *process

	http  *http.Client // of one who may do everything, as are:
	core  coreclient.CoreV1Interface
	batch batchclient.BatchV1Interface
	rbac  rbacclient.RbacV1Interface
}

// Start starts a control plane from the programs in a directory and etcd on PATH,
// and waits until it works.
func Start(programs string) (*ControlPlane, error) {
	dir, err := os.MkdirTemp("", "modelvigil-kubernetes-")
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{dir: dir, programs: programs}
	if err := c.start(); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start a Kubernetes control plane: %w", err)
	}
	return c, nil
}

func (c *ControlPlane) start() (err error) {
	c.pki, err = newPKI(c.dir)
	if err != nil {
		return err
	}
	addresses, err := freeAddresses(3)
	if err != nil {
		return err
	}

	c.etcdURL = "http://" + addresses[0]
	c.address = addresses[1]
	c.etcd, err = c.run("etcd", "--name=test", "--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+c.etcdURL, "--advertise-client-urls="+c.etcdURL,
		"--listen-peer-urls=http://"+addresses[2], "--initial-advertise-peer-urls=http://"+addresses[2], "--initial-cluster=test=http://"+addresses[2])
	if err != nil {
		return err
	}
	if err := c.etcd.wait(http.DefaultClient, c.etcdURL+"/health"); err != nil {
		return err
	}

	c.http, err = rest.HTTPClientFor(c.Admin())
	if err != nil {
		return err
	}

	c.core, err = coreclient.NewForConfigAndClient(c.Admin(), c.http)
	if err != nil {
		return err
	}

	c.batch, err = batchclient.NewForConfigAndClient(c.Admin(), c.http)
	if err != nil {
		return err
	}

	c.rbac, err = rbacclient.NewForConfigAndClient(c.Admin(), c.http)
	if err != nil {
		return err
	}
	if err := c.StartAPIServer(); err != nil {
		return err
	}
	if err := c.Kubeconfig(c.path("controllers.kubeconfig"), c.Admin(), ""); err != nil {
		return err
	}

	c.controllers, err = c.run(filepath.Join(c.programs, "kube-controller-manager"),
		"--kubeconfig="+c.path("controllers.kubeconfig"), "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials=false", "--concurrent-job-syncs=20", "--min-resync-period=1m",
		"--controllers=job-controller,cronjob-controller,garbage-collector-controller,namespace-controller,resourcequota-controller,serviceaccount-controller,ttl-after-finished-controller")
	return err
}

// StartAPIServer starts the API server, again where it was stopped.
func (c *ControlPlane) StartAPIServer() (err error) {
	host, port, _ := net.SplitHostPort(c.address)
	c.apiServer, err = c.run(filepath.Join(c.programs, "kube-apiserver"),
		"--etcd-servers="+c.etcdURL, "--bind-address="+host, "--secure-port="+port, "--endpoint-reconciler-type=none",
		"--cert-dir="+c.dir, "--tls-cert-file="+c.path(serverCert), "--tls-private-key-file="+c.path(serverKey), "--client-ca-file="+c.path(caCert),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+c.path(accountKey),
		"--service-account-signing-key-file="+c.path(accountKey), "--service-cluster-ip-range=10.0.0.0/24",
		"--authorization-mode=RBAC", "--shutdown-delay-duration=0", "--profiling=false")
	if err != nil {
		return err
	}

	return c.apiServer.wait(c.http, "https://"+c.address+"/readyz")
}

// StopAPIServer ends the API server as a crash would.
func (c *ControlPlane) StopAPIServer() {
	c.apiServer.end(syscall.SIGKILL)
}

// Stop ends what Start has started, and removes its files.
func (c *ControlPlane) Stop() {
	for _, p := range []*process{c.controllers, c.apiServer, c.etcd} {
		p.end(syscall.SIGTERM)
	}
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	_ = os.RemoveAll(c.dir)
}

// Admin is the connection of one who may do everything.
func (c *ControlPlane) Admin() *rest.Config {
	return &rest.Config{
		Host: "https://" + c.address, QPS: -1, WarningHandler: rest.NoWarnings{},
		TLSClientConfig: rest.TLSClientConfig{CAData: c.pki.ca, CertData: c.pki.adminCert, KeyData: c.pki.adminKey},
	}
}

// Bearer is the connection of who has a token.
func (c *ControlPlane) Bearer(token string) *rest.Config {
	config := rest.AnonymousClientConfig(c.Admin())
	config.QPS = -1
	config.BearerToken = token
	config.WarningHandler = rest.NoWarnings{}
	return config
}

// Kubeconfig writes a connection into a file, with the one context "test" of a namespace.
func (c *ControlPlane) Kubeconfig(path string, connection *rest.Config, namespace string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: connection.Host, CertificateAuthorityData: connection.CAData}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: connection.CertData, ClientKeyData: connection.KeyData, Token: connection.BearerToken,
	}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: namespace}
	config.CurrentContext = "test"
	return clientcmd.WriteToFile(*config, path)
}

func (c *ControlPlane) path(file string) string { return filepath.Join(c.dir, file) }

// process is one of the control plane's.
type process struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{}
}

func (c *ControlPlane) run(path string, args ...string) (*process, error) {
	name := filepath.Base(path)
	output, err := os.OpenFile(c.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}

	defer func() { _ = output.Close() }()
	p := &process{name: name, log: output.Name(), cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout = output
	p.cmd.Stderr = output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w; tools/kubernetes/build.sh makes the programs, and Debian's etcd-server has etcd", err)
	}

	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) end(signal syscall.Signal) {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second): // it holds nothing that is worth more
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// wait waits until a process says of itself that it works.
func (p *process) wait(client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}

		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}

		select {
		case <-p.done:
			return fmt.Errorf("%s ended at once: %s", p.name, p.lastLines())
		case <-ctx.Done():
			return fmt.Errorf("%s doesn't work within %v: %s", p.name, startTimeout, p.lastLines())
		case <-ticker.C:
		}
	}
}

func (p *process) lastLines() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// freeAddresses are loopback addresses that nobody listens on.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }() // all at once, so that they differ
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
