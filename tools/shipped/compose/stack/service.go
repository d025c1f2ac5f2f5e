package stack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// service is one that runs, and runs again where its restart policy says so.
type service struct {
	launch launch
	grace  time.Duration
	done   chan struct{} // closed when it has ended for good

	mu      sync.Mutex
	process *exec.Cmd
	gone    chan struct{} // closed when the process has ended
	ending  bool
}

// Pauses between restarts: Docker's, which double up to a minute.
const (
	firstPause = 100 * time.Millisecond
	// longestPause is less than Docker's minute, so that a test needn't wait that long.
	longestPause = 5 * time.Second
)

func (s *Stack) start(config types.ServiceConfig) (*service, error) {
	l, err := s.launch(config, nil)
	if err != nil {
		return nil, err
	}

	running := &service{launch: l, grace: 10 * time.Second, done: make(chan struct{})}
	if config.StopGracePeriod != nil {
		running.grace = time.Duration(*config.StopGracePeriod)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, config.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd, err := running.begin(log)
	if err != nil {
		_ = log.Close()
		return nil, err
	}

	go func() {
		defer close(running.done)
		defer func() { _ = log.Close() }()
		running.live(cmd, log, config.Restart == types.RestartPolicyUnlessStopped)
	}()
	return running, nil
}

// live is the service's life from its first process on.
func (r *service) live(cmd *exec.Cmd, log *os.File, again bool) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if cmd != nil {
			_ = cmd.Wait()
			close(r.gone) // only this goroutine makes another one
		}

		r.mu.Lock()
		ending := r.ending
		r.mu.Unlock()
		if ending || !again {
			return
		}

		time.Sleep(pause)
		cmd, _ = r.begin(log)
	}
}

// begin starts a process, unless the service is to end.
func (r *service) begin(log *os.File) (*exec.Cmd, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return nil, nil //nolint:nilnil // live looks at ending
	}

	cmd := r.launch.command(context.Background())
	cmd.Stdout = log
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	r.process = cmd
	r.gone = make(chan struct{})
	return cmd, nil
}

// crash ends the process as a crash would, and returns when it has ended. To
// PostgreSQL's data, SIGQUIT is one: nothing is written any more, and the next
// start recovers.
func (r *service) crash() { <-r.signal(r.launch.crash) }

// stop ends the service, with its process.
func (r *service) stop() {
	r.mu.Lock()
	r.ending = true
	r.mu.Unlock()
	r.signal(r.launch.stop)
	select {
	case <-r.done:
	case <-time.After(r.grace):
		r.signal(syscall.SIGKILL)
		<-r.done
	}
}

// signal sends a signal to the process, and returns what is closed when it has ended.
func (r *service) signal(signal syscall.Signal) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.process.Process.Signal(signal)
	return r.gone
}
