package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long a part may take to end before it is killed.
const stopPatience = 5 * time.Second

// parts are the demo's processes. What they say goes to files, whose last lines
// are shown when one of them ends by itself.
type parts struct {
	dir string

	mu      sync.Mutex
	running []*part
	ended   error // the first part that ended before it was told to
	closing bool
}

type part struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

func (ps *parts) start(ctx context.Context, name, path string, env []string, args ...string) error {
	_, err := ps.run(ctx, name, path, env, args, false)
	return err
}

// startReading starts a part whose standard output is for us.
func (ps *parts) startReading(ctx context.Context, name, path string, env []string, args ...string) (io.Reader, error) {
	return ps.run(ctx, name, path, env, args, true)
}

func (ps *parts) run(ctx context.Context, name, path string, env, args []string, read bool) (out io.Reader, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	p := &part{name, exec.Command(path, args...), filepath.Join(ps.dir, name+".log"), make(chan struct{})}
	file, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}

	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = file
	p.cmd.Stderr = file
	p.cmd.SysProcAttr = ownGroup() // Ctrl-C is for us; we end them in order
	var pipe io.ReadCloser
	if read {
		p.cmd.Stdout = nil
		pipe, err = p.cmd.StdoutPipe()
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		out = pipe
	}

	if err := p.cmd.Start(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}

	ps.mu.Lock()
	ps.running = append(ps.running, p)
	ps.mu.Unlock()
	go func() {
		state, err := p.cmd.Process.Wait()
		_ = file.Close()
		ps.mu.Lock()
		if !ps.closing && ps.ended == nil && (err != nil || !state.Success()) {
			ps.ended = fmt.Errorf("the %s ended: %v; it said:\n%s", name, state, tail(p.log))
		}
		ps.mu.Unlock()
		close(p.done)
	}()
	return out, nil
}

// failed returns why a part has ended by itself, if one has.
func (ps *parts) failed() error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.ended
}

// stop ends every part, the last started first, and returns when they are gone.
func (ps *parts) stop() {
	ps.mu.Lock()
	ps.closing = true
	running := ps.running
	ps.mu.Unlock()
	for i := len(running) - 1; i >= 0; i-- {
		p := running[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(stopPatience):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
}

// tail returns the last lines of a file.
func tail(path string) string {
	const most = 2000
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
		if _, rest, found := bytes.Cut(text, []byte("\n")); found {
			text = rest
		}
	}

	return string(bytes.TrimSpace(text))
}
