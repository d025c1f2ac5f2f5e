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
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/hub"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/workflows"
)

// The demo's model and what its policy asks of it. With a tenth of the labels
// flipped no model can be right more often than 0.90; below 0.84 a window of
// 1,000 predictions falls only when the concept has changed. Two samples of one
// distribution, of 2,000 and of 1,000, have a Kolmogorov-Smirnov distance above 0.12
// once in 100 million times (Smirnov's bound, 2 exp(-2 d² mn/(m+n))).
const (
	ModelName   = "sea"
	minAccuracy = 0.84
	maxDistance = 0.12
	cooldown    = 8 * time.Second

	trainingSamples = 2000 // for the first model, and again for each new one
	windowSamples   = 1000
	windowEvery     = 500 * time.Millisecond
	conceptWindows  = 36 // 18 seconds each
	windows         = 4 * conceptWindows
	labelsLate      = 6 // windows: what was true of a prediction is known 3 seconds after it
)

// Names of the policy's rules.
const (
	accuracyRule = "accuracy"
	inputsRule   = "inputs"
)

// inputs are the names of a sample's.
var inputs = [...]string{"x1", "x2", "x3"}

// Options are the demo's settings.
type Options struct {
	Seed     uint64
	Temporal string    // path of the Temporal CLI; empty looks for `temporal` on PATH
	Worker   string    // path of the worker; empty looks beside this program
	Keep     bool      // leave everything running at the end, until ctx ends
	Out      io.Writer // where to show it
	// Size returns the columns and rows of Out where that is a terminal, which is then
	// redrawn; nil where it is none.
	Size func() (columns, rows int)
}

// Run shows the demo, until it is over or ctx ends. It leaves no process and no file
// behind, however it ends. It fails when a drift was not caught and healed.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "modelvigil-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}

	d := &demo{Options: o, dir: dir, parts: &parts{dir: dir}}
	err = d.show(ctx)
	d.parts.stop()
	_ = os.RemoveAll(dir)
	if ctx.Err() != nil {
		d.say("Ended. Nothing is left running.")
		return nil
	}
	return err
}

// show starts the parts and shows what they do.
func (d *demo) show(ctx context.Context) error {
	if err := d.start(ctx); err != nil {
		return err
	}

	defer d.client.Close()
	story, err := d.watch(ctx)
	if err != nil {
		return err
	}
	if !d.Keep {
		return story.verdict()
	}

	d.say(keepText, d.page(), d.address, ModelName)
	return d.follow(ctx, story)
}

const keepText = `
Everything goes on running; Ctrl-C ends it. Look around:

%s
  export TEMPORAL_ADDRESS=%s
  bin/modelvigil status %[3]s
  bin/modelvigil retrain %[3]s --force --reason "because I can"`

// page is where the Temporal UI shows the monitor, if a line can have that; else the
// UI's list of monitors.
func (d *demo) page() string {
	page := d.ui + "/namespaces/default/workflows/" + url.PathEscape(contract.WorkflowID(ModelName))
	if columns, _ := d.size(); len(page) > columns {
		return d.ui
	}
	return page
}

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

	d.say("starting a Temporal server, worker, trainer and serving")
	if err := d.parts.start(ctx, "temporal", temporal, nil, "server", "start-dev", "--ip", "127.0.0.1", "--port", ports[0],
		"--ui-port", ports[1], "--db-filename", filepath.Join(d.dir, "temporal.db"), "--log-level", "error"); err != nil {
		return err
	}
	if err := d.dial(ctx); err != nil {
		return err
	}

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

	lines, err := d.parts.startReading(ctx, "serving", self, at, "demo", "serving", "--trainer", "http://"+trainer,
		"--seed", strconv.FormatUint(d.Seed, 10), "--endless="+strconv.FormatBool(d.Keep))
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

// watchPolicy is what the demo asks of its model: that it is right, once that is
// known, and that what it sees is what it has seen first.
func watchPolicy() policy.Policy {
	onInputs := policy.Rule{
		Name: inputsRule, Metrics: inputs[:], Above: metric.Some(maxDistance),
		Drift: &policy.Drift{
			Statistic: drift.KS,
			Reference: policy.Reference{From: policy.ReferenceFirst, Samples: trainingSamples},
		},
		Period: metric.Some(policy.Duration(time.Second)), Grace: metric.Some(policy.Duration(500 * time.Millisecond)),
		MinSamples: windowSamples,
	}
	return policy.Policy{
		Rules:       []policy.Rule{policy.Below(metric.Accuracy, minAccuracy), onInputs},
		ReportEvery: metric.Some(policy.Duration(time.Second)),
	}.WithCooldown(cooldown)
}

// apply starts the model's monitor with the demo's policy, as `modelvigil apply`.
func (d *demo) apply(ctx context.Context) error {
	policy := watchPolicy()
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

// newSea is the stream of the demo: first a training set, then what is served. With
// the first drift the inputs stay as they are, with the others one of them moves.
func newSea(seed uint64) (*stream.SEA, error) {
	served := conceptWindows * windowSamples
	first := trainingSamples + served + windowSamples/2 // a drift falls into a window, not between two
	return stream.New(stream.Config{
		Seed: seed, DriftAt: []int{first, first + served, first + 2*served},
		Skews: [][]float64{{1, 1, 1}, {1, 1, 1}, {2, 1, 1}, {2, 0.5, 1}},
	})
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
