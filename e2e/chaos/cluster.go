package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/internal/patience"
)

const (
	workers, publishers = 2, 2
	// suggestedEvents is from how long a history on the server suggests to continue
	// as new: by its default, 4096, no run would get there in minutes.
	suggestedEvents = 40
)

// cluster is everything that runs: a server with its database in a file, two
// workers, two publishers, a trainer, and a proxy on each link between them.
type cluster struct {
	dir       string
	options   options
	server    string // address
	temporal  client.Client
	trainer   *trainer
	claims    *claims
	processes map[string]*process
	links     map[string]*toxiproxy.Proxy
	front     *front // of the last worker's link
	failed    func(error)
}

// startCluster starts all of it, with a policy applied to every model. What it
// has started before it failed is stopped.
func startCluster(ctx context.Context, o options, dir string, failed func(error)) (c *cluster, err error) {
	c = &cluster{
		dir: dir, options: o, claims: &claims{said: map[string]*claim{}}, failed: failed,
		processes: map[string]*process{}, links: map[string]*toxiproxy.Proxy{},
	}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err := c.startServer(ctx); err != nil {
		return nil, err
	}
	training, err := freeAddress()
	if err != nil {
		return nil, err
	}

	c.trainer, err = startTrainer(training)
	if err != nil {
		return nil, err
	}

	behind, err := c.link("link-trainer", training)
	if err != nil {
		return nil, err
	}

	c.front, err = startFront(c.server)
	if err != nil {
		return nil, err
	}

	for i := range workers {
		if err := c.startWorker(i, behind); err != nil {
			return nil, err
		}
	}

	if err := c.apply(ctx); err != nil {
		return nil, err
	}

	for i := range publishers {
		if err := c.startPublisher(i); err != nil {
			return nil, err
		}
	}

	return c, nil
}

func (c *cluster) startServer(ctx context.Context) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}

	c.server = address
	_, port, _ := strings.Cut(address, ":")
	server, err := newProcess(c.dir, "server", c.failed, func() *exec.Cmd {
		return exec.Command(c.options.temporal, "server", "start-dev", "--headless", "--port", port, "--log-level", "error",
			"--db-filename", filepath.Join(c.dir, "temporal.db"), "--dynamic-config-value", "matching.useNewMatcher=true",
			"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew="+strconv.Itoa(suggestedEvents))
	})
	if err != nil {
		return err
	}
	c.processes["server"] = server
	if err := server.start(); err != nil {
		return err
	}

	c.temporal, err = client.NewLazyClient(client.Options{HostPort: address, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return err
	}

	return eventually(ctx, "the server answers", func(ctx context.Context) bool {
		_, err := c.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err == nil
	})
}

// link puts a proxy before an address and returns the proxy's.
func (c *cluster) link(name, upstream string) (string, error) {
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	proxy := toxiproxy.NewProxy(api, name, address, upstream)
	if err := proxy.Start(); err != nil {
		return "", err
	}
	c.links[name] = proxy
	return address, nil
}

func (c *cluster) startWorker(i int, trainer string) error {
	name, upstream := "worker-"+strconv.Itoa(i), c.server
	if i == workers-1 {
		upstream = c.front.address
	}
	address, err := c.link("link-"+name, upstream)
	if err != nil {
		return err
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}

	c.processes[name], err = newProcess(c.dir, name, c.failed, func() *exec.Cmd {
		cmd := exec.Command(c.options.program("modelvigil-worker"))
		cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+address, "LISTEN_ADDRESS="+listen, "LOG_LEVEL=warn",
			"MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL=http://"+trainer+"/retrainings", "MODELOPS_POLL_INTERVAL=500ms")
		return cmd
	})
	if err != nil {
		return err
	}

	return c.processes[name].start()
}

// startPublisher starts a publisher, of a new mark each time it is started. The
// clocks of two are an hour apart.
func (c *cluster) startPublisher(i int) error {
	name := "publisher-" + strconv.Itoa(i)
	address, err := c.link("link-"+name, c.server)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}

	perTick := max(1, int(float64(c.options.rate)*tick.Seconds())/c.options.models/publishers)
	var lives atomic.Int64
	mark := func() string { return fmt.Sprintf("p%d-%d", i, lives.Load()) }
	p, err := newProcess(c.dir, name, c.failed, func() *exec.Cmd {
		lives.Add(1)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+address, publisherVariable+"="+fmt.Sprintf("%s %d %d %d", mark(), c.options.models, perTick, i))
		return cmd
	})
	if err != nil {
		return err
	}

	p.output = func(from io.Reader) { c.claims.listen(mark(), perTick, from) }
	c.processes[name] = p
	return p.start()
}

// apply gives each model its policy by modelvigil apply.
func (c *cluster) apply(ctx context.Context) error {
	var documents strings.Builder
	for m := range c.options.models {
		fmt.Fprintf(&documents, "---\nmodel_name: %s\ncooldown: %s\n", modelName(m), c.options.cooldown)
	}
	file := filepath.Join(c.dir, "policies.yaml")
	if err := os.WriteFile(file, []byte(documents.String()), 0o600); err != nil {
		return err
	}

	cmd := exec.CommandContext(ctx, c.options.program("modelvigil"), "apply", file)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+c.server)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("modelvigil apply: %w\n%s", err, out)
	}

	return nil
}

// begin does a fault; end takes it back.
func (c *cluster) begin(f fault) (end func() error) {
	switch f.Kind {
	case kill:
		c.processes[f.Target].end(syscall.SIGKILL)
		return c.processes[f.Target].start
	case leave:
		c.processes[f.Target].end(syscall.SIGTERM)
		return c.processes[f.Target].start
	case freeze:
		c.processes[f.Target].signal(syscall.SIGSTOP, false)
		return func() error { c.processes[f.Target].signal(syscall.SIGCONT, false); return nil }
	case starve:
		return c.processes[f.Target].starve()
	case cut:
		c.links[f.Target].Stop()
		return func() error {
			err := c.links[f.Target].Start()
			if errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
				return nil // on a slow machine the end of the cut before came after the beginning of this one
			}
			return err
		}
	case closing:
		c.front.isHeld.Store(true)
		return func() error { c.front.isHeld.Store(false); return nil }
	case delay:
		return c.poison(f.Target, `{"name": "fault", "type": "latency", "attributes": {"latency": 300, "jitter": 200}}`)
	case hang:
		return c.poison(f.Target, `{"name": "fault", "type": "timeout", "attributes": {"timeout": 0}}`)
	default:
		c.trainer.set(f.Kind)
		return func() error { c.trainer.set(""); return nil }
	}
}

func (c *cluster) poison(link, toxic string) (end func() error) {
	if _, err := c.links[link].Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		c.failed(fmt.Errorf("toxic on %s: %w", link, err))
	}
	return func() error { return c.links[link].Toxics.RemoveToxic(context.Background(), "fault") }
}

// closePublishers lets them deliver everything, and end.
func (c *cluster) closePublishers() {
	for i := range publishers {
		c.processes["publisher-"+strconv.Itoa(i)].signal(syscall.SIGINT, true)
	}
	for i := range publishers {
		c.processes["publisher-"+strconv.Itoa(i)].end(syscall.SIGINT)
	}
}

// stop ends every process that was started.
func (c *cluster) stop() {
	for _, p := range c.processes {
		p.signal(syscall.SIGCONT, true)
		p.end(syscall.SIGKILL)
		_ = p.log.Close()
	}

	for _, link := range c.links {
		link.Stop()
	}
	if c.front != nil {
		c.front.stop()
	}
	if c.trainer != nil {
		_ = c.trainer.server.Close()
	}
	if c.temporal != nil {
		c.temporal.Close()
	}
}

var errTimeout = errors.New("not in time")

// eventually waits for a fact, as long as tests do.
func eventually(ctx context.Context, what string, fact func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience.Limit)
	defer cancel()
	for !fact(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w, %v", what, errTimeout, patience.Limit)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}
