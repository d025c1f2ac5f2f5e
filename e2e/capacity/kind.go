package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/modelvigil/modelvigil/hub"
)

// kind is one of the two workflows, with a worker process and a task queue of its own.
type kind struct {
	name   string
	client client.Client
	queue  string
	worker *exec.Cmd

	models  []string
	hub     *hub.Hub
	sent    sendings
	next    int // model, of those that report in turn
	started usage
	held    usage
}

// newKind starts a kind's worker.
func newKind(ctx context.Context, c client.Client, name, program string, arguments ...string) (*kind, error) {
	k := &kind{name: name, client: c, queue: "capacity-" + name + "-" + uuid.NewString()[:8]}
	if len(arguments) > 0 {
		arguments = append(arguments, k.queue)
	}
	k.worker = exec.CommandContext(ctx, program, arguments...)
	k.worker.Env = append(os.Environ(), "TASK_QUEUE="+k.queue, "LISTEN_ADDRESS=127.0.0.1:0", "LOG_LEVEL=error")
	k.worker.Stdout = os.Stdout
	k.worker.Stderr = os.Stderr
	k.worker.Cancel = func() error { return k.worker.Process.Signal(syscall.SIGTERM) }
	if err := k.worker.Start(); err != nil {
		return nil, fmt.Errorf("start the worker of the %ss: %w; make build first", name, err)
	}

	return k, nil
}

// end ends the worker.
func (k *kind) end() {
	_ = k.worker.Process.Signal(syscall.SIGTERM)
	_ = k.worker.Wait()
}

// name names n further models.
func (k *kind) newModels(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", k.queue, len(k.models)+i)
	}
	return names
}

// usage is what was done for a kind, and what it took.
type usage struct {
	done           int
	took           time.Duration
	server, worker time.Duration // of processors
	memory         int64         // bytes, the most that the worker held
}

// measured adds what something takes that is done for a kind.
func (u *usage) measured(k *kind, do func() (done int, err error)) error {
	server, worker, began := serverTime(), processTime(k.worker.Process.Pid), time.Now()
	done, err := do()
	u.done += done
	u.took += time.Since(began)
	u.server += serverTime() - server
	u.worker += processTime(k.worker.Process.Pid) - worker
	u.memory = peakMemory(k.worker.Process.Pid)
	return err
}

func (u *usage) perSecond() float64 { return float64(u.done) / u.took.Seconds() }

// perProcessor is how many are done in a second of the processors' time.
func (u *usage) perProcessor() float64 { return float64(u.done) / (u.server + u.worker).Seconds() }

func (u *usage) String() string {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(u.done) }
	return fmt.Sprintf("%6d, %6.1f a second; each %5.2f ms of processors of the server, %5.2f ms of the worker, which held at most %d MiB",
		u.done, u.perSecond(), each(u.server), each(u.worker), u.memory>>20)
}

// compare says what monitors take beside counters.
func compare(what string, monitors, counters *usage) {
	fmt.Printf("%s of monitors  %v\n%s of counters  %v\n", what, monitors, what, counters)
	fmt.Printf("%s: monitors reach %.0f %% of counters by the clock, %.0f %% by the processors' time of server and worker\n",
		what, 100*monitors.perSecond()/counters.perSecond(), 100*monitors.perProcessor()/counters.perProcessor())
}

// inParallel does something for each of so many, by so many workers.
func inParallel(n, workers int, do func(i int) error) error {
	var group sync.WaitGroup
	faults := make([]error, workers)
	for w := range workers {
		group.Go(func() {
			for i := w; i < n && faults[w] == nil; i += workers {
				faults[w] = do(i)
			}
		})
	}
	group.Wait()
	return errors.Join(faults...)
}

// environment is the process's, by name.
func environment() map[string]string {
	all := map[string]string{}
	for _, one := range os.Environ() {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	return all
}
