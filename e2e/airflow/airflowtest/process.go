package airflowtest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// guard runs a command in a process group that ends as one: when the command does,
// and when standard input ends, which it does at the latest with the test's process.
// The form of kill is POSIX's; dash knows no other that names a group.
const guard = `{ "$@"; kill -s KILL -- -$$; } & read -r _; kill -s KILL -- -$$`

// process is a command of Airflow's, with whatever it has started.
type process struct {
	name  string
	stdin io.Closer
	ended chan struct{}
}

func startProcess(s *Server, name string, environment []string, args ...string) (*process, error) {
	output, err := os.OpenFile(filepath.Join(s.dir, name+".out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}

	defer func() { _ = output.Close() }() // the command has its own
	cmd := exec.Command("sh", append([]string{"-c", guard, "sh", s.airflow}, args...)...)
	cmd.Env = slices.Concat(s.environment, environment)
	cmd.Dir = s.dir
	cmd.Stdout = output
	cmd.Stderr = output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	p := &process{name, stdin, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process and all that it has started, as a crash would.
func (p *process) stop() {
	_ = p.stdin.Close()
	<-p.ended
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
