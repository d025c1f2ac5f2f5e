package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a program under test, started again after each kill.
type process struct {
	name    string
	command func() *exec.Cmd
	log     *os.File
	output  func(io.Reader) // takes standard output; nil: to the log
	failed  func(error)     // called when the program ends unasked

	mu       sync.Mutex
	cmd      *exec.Cmd
	expected bool // its end is
	done     chan struct{}
}

func newProcess(dir, name string, failed func(error), command func() *exec.Cmd) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	return &process{name: name, command: command, log: log, failed: failed}, nil
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := p.command()
	cmd.Stderr = p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the run
	var out io.ReadCloser
	if p.output == nil {
		cmd.Stdout = p.log
	} else {
		var err error
		out, err = cmd.StdoutPipe()
		if err != nil {
			return err
		}
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}

	done := make(chan struct{})
	p.cmd = cmd
	p.expected = false
	p.done = done
	go func() {
		defer close(done)
		if out != nil {
			p.output(out) // all that it said, before Wait closes the pipe
		}
		_ = cmd.Wait()
		p.mu.Lock()
		expected := p.expected
		p.mu.Unlock()
		if !expected {
			p.failed(fmt.Errorf("%s ended by itself: %v; see %s", p.name, cmd.ProcessState, p.log.Name()))
		}
	}()
	return nil
}

// signal sends a signal; ends says that the program is expected to end by it.
func (p *process) signal(signal syscall.Signal, ends bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = p.expected || ends
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(signal)
	}
}

// end sends a signal and waits until the program has ended.
func (p *process) end(signal syscall.Signal) {
	p.signal(signal, true)
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done != nil {
		<-done
	}
}

// starve lets the program run for 25 of every 100 ms, until it is fed again.
func (p *process) starve() (feed func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var starving sync.WaitGroup
	starving.Go(func() {
		for sleep(ctx, 25*time.Millisecond) {
			p.signal(syscall.SIGSTOP, false)
			sleep(ctx, 75*time.Millisecond)
			p.signal(syscall.SIGCONT, false)
		}
	})
	return func() error {
		cancel()
		starving.Wait()
		return nil
	}
}

// freeAddress is a loopback address that nobody listens on. It is below the ports that
// systems give to connections: a link that was cut must get its own again.
func freeAddress() (string, error) {
	const lowest, ports, tries = 10_000, 20_000, 100
	var err error
	for range tries {
		var listener net.Listener
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(ports)))
		if err == nil {
			return listener.Addr().String(), listener.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
