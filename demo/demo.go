// Package demo shows a model drift, be caught, be retrained and recover, on real
// parts: a Temporal dev server, modelvigil's worker, a training service and a
// serving process, each a process of its own. The parts know each other by
// address alone; this package starts them, watches, and ends them.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// The demo's model and what its policy asks of it. With a tenth of the labels
// flipped no model can be right more often than 0.90; below 0.84 a window of
// 1,000 predictions falls only when the concept has changed.
const (
	ModelName   = "sea-classifier"
	minAccuracy = 0.84
	cooldown    = 6 * time.Second

	trainingSamples = 2000 // for the first model, and again for each new one
	windowSamples   = 1000
	windowEvery     = 500 * time.Millisecond
	conceptWindows  = 36 // 18 seconds each
)

// Options are the demo's settings.
type Options struct {
	Seed     uint64
	Temporal string    // path of the Temporal CLI; empty looks for `temporal` on PATH
	Worker   string    // path of the worker; empty looks beside this program
	Keep     bool      // leave everything running at the end, until ctx ends
	Out      io.Writer // where to show it
	Live     bool      // Out is a terminal that can be redrawn
}

// Run shows the demo. It leaves no process and no file behind, however it ends.
// It fails when a drift was not caught and healed.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "modelvigil-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}

	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{Options: o, dir: dir, parts: &parts{dir: dir}}
	defer d.parts.stop()
	if err := d.start(ctx); err != nil {
		return err
	}

	defer d.client.Close()
	story, err := d.watch(ctx)
	if err != nil {
		return err
	}
	story.print(o.Out)
	if o.Keep {
		_, _ = fmt.Fprintf(o.Out, keepText, d.address, d.ui, ModelName)
		<-ctx.Done()
		return nil
	}

	return story.verdict()
}

const keepText = `
Everything is still running; Ctrl-C ends it. Look around:

  %[2]s/namespaces/default/workflows   the monitor: its decisions, its timers, its retrainings
  TEMPORAL_ADDRESS=%[1]s bin/modelvigil status %[3]s
  TEMPORAL_ADDRESS=%[1]s bin/modelvigil retrain %[3]s --force --reason "because I can"
`

// demo is one showing.
type demo struct {
	Options
	dir         string
	parts       *parts
	address, ui string
	client      client.Client
	windows     <-chan Window
}

// start starts the parts in order, each when the one before it is ready.
func (d *demo) start(ctx context.Context) error {
	temporal, worker, self, err := d.programs()
	if err != nil {
		return err
	}
	ports, err := freePorts(4)
	if err != nil {
		return err
	}

	d.address = "127.0.0.1:" + ports[0]
	d.ui = "http://127.0.0.1:" + ports[1]
	trainer := "127.0.0.1:" + ports[2]
	secret := newSecret()
	initial := filepath.Join(d.dir, "training.json")
	if err := writeTrainingSet(initial, d.Seed); err != nil {
		return err
	}

	d.say("starting Temporal on %s, its UI on %s", d.address, d.ui)
	if err := d.parts.start(ctx, "temporal", temporal, nil, "server", "start-dev", "--ip", "127.0.0.1", "--port", ports[0],
		"--ui-port", ports[1], "--db-filename", filepath.Join(d.dir, "temporal.db"), "--log-level", "error"); err != nil {
		return err
	}
	if err := d.dial(ctx); err != nil {
		return err
	}

	d.say("starting the worker, the trainer and the serving process")
	at := []string{"TEMPORAL_ADDRESS=" + d.address, "TEMPORAL_NAMESPACE=default", "TASK_QUEUE=" + contract.DefaultTaskQueue}
	if err := d.parts.start(ctx, "worker", worker, append(at,
		"MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL=http://"+trainer+"/retrainings", "MODELOPS_WEBHOOK_SECRET="+secret,
		"MODELOPS_POLL_INTERVAL=500ms", "LISTEN_ADDRESS=127.0.0.1:"+ports[3])); err != nil {
		return err
	}
	if err := d.parts.start(ctx, "trainer", self, []string{"MODELOPS_WEBHOOK_SECRET=" + secret},
		"demo", "trainer", "--listen", trainer, "--initial", initial); err != nil {
		return err
	}
	if err := d.apply(ctx); err != nil {
		return err
	}

	lines, err := d.parts.startReading(ctx, "serving", self, at,
		"demo", "serving", "--trainer", "http://"+trainer, "--initial", initial, "--seed", strconv.FormatUint(d.Seed, 10))
	d.windows = readWindows(lines)
	return err
}

// programs finds what the demo runs.
func (d *demo) programs() (temporal, worker, self string, err error) {
	self, err = os.Executable()
	if err != nil {
		return "", "", "", fmt.Errorf("find this program: %w", err)
	}

	worker = d.Worker
	if worker == "" {
		worker = beside(self, "modelvigil-worker", "worker")
	}
	if _, statErr := os.Stat(worker); statErr != nil {
		err = fmt.Errorf("find the worker: %w; build both with `make build`, or name it with --worker", statErr)
	}
	temporal = d.Temporal
	if temporal == "" {
		temporal = "temporal"
	}
	temporal, lookErr := exec.LookPath(temporal)
	if lookErr != nil {
		err = errors.Join(err, fmt.Errorf("find the Temporal CLI: %w; `make demo` builds it, or name it with --temporal", lookErr))
	}
	return temporal, worker, self, err
}

// beside is the first of these programs that stands beside another: as `make build`
// names it, or as `go build` does by its folder. Where none is, it is the first's place.
func beside(program string, names ...string) string {
	for _, name := range names {
		path := filepath.Join(filepath.Dir(program), name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return filepath.Join(filepath.Dir(program), names[0])
}

// dial connects to the dev server once it is up.
func (d *demo) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	for {
		c, err := client.DialContext(ctx, client.Options{HostPort: d.address, Logger: quiet})
		if err == nil {
			d.client = c
			return nil
		}
		if err := d.parts.failed(); err != nil {
			return err
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to the dev server on %s: %w", d.address, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// apply starts the model's monitor with the demo's policy, as `modelvigil apply`.
func (d *demo) apply(ctx context.Context) error {
	policy := policy.Policy{}.With(policy.Below(metric.Accuracy, minAccuracy)).
		With(policy.Above(metric.DriftScore, learner.MajorShift)).WithCooldown(cooldown)
	_, err := d.client.ExecuteWorkflow(ctx, hub.StartOptions(ModelName, contract.DefaultTaskQueue),
		contract.WorkflowType, workflows.Input{ModelName: ModelName, Policy: &policy})
	if err != nil {
		return fmt.Errorf("start the monitor of %s: %w", ModelName, err)
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, format+"\n", args...)
}

// newSea is the stream of the demo: first a training set, then what is served.
func newSea(seed uint64) (*stream.SEA, error) {
	served := conceptWindows * windowSamples
	first := trainingSamples + served + windowSamples/2 // a drift falls into a window, not between two
	return stream.New(stream.Config{Seed: seed, DriftAt: []int{first, first + served, first + 2*served}})
}

func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// freePorts asks the system for ports that nobody uses.
func freePorts(n int) ([]string, error) {
	ports := make([]string, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		ports[i] = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
