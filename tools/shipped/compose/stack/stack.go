// Package stack runs the services of a compose file as processes of this machine,
// where there is no container engine: the same programs, with the commands,
// environment, configs, health checks, order and restart policy of the file. Each
// service has a loopback address of its own, so that its ports are the file's,
// too. It knows the images that docker-compose.yml names, and needs Linux, where
// all of 127.0.0.0/8 is the machine's own.
package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// Programs are directories of what the images have.
type Programs struct {
	PostgreSQL string // initdb, postgres, pg_isready
	Server     string // temporal-server, temporal-sql-tool, entrypoint.sh: of tools/server/build.sh
	Temporal   string // the Temporal CLI, the file itself
	Modelvigil string // modelvigil, modelvigil-worker
}

// ProgramsFromEnvironment is where the Makefile says that they are, without our own.
func ProgramsFromEnvironment() (Programs, error) {
	p := Programs{}
	var missing []error
	for name, field := range map[string]*string{
		"MODELVIGIL_POSTGRESQL": &p.PostgreSQL, "MODELVIGIL_SERVER": &p.Server, "MODELVIGIL_TEMPORAL": &p.Temporal,
	} {
		*field = os.Getenv(name)
		if *field == "" {
			missing = append(missing, fmt.Errorf("%s is not set; `make e2e-compose` sets it", name))
		}
	}
	return p, errors.Join(missing...)
}

// Stack is a compose file that runs. Stop it.
type Stack struct {
	Project  *types.Project
	programs Programs
	dir      string
	network  network

	mu       sync.Mutex
	services map[string]*service
	done     map[string]bool // jobs that have succeeded
}

// Load reads a compose file as `docker compose` does, with variables such as
// MODELOPS_BACKEND=webhook in its environment.
func Load(ctx context.Context, file string, variables ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(filepath.Dir(file)),
		cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true), cli.WithEnv(variables))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// New makes a stack of which nothing runs yet. Its files are in a directory of its own.
func New(project *types.Project, programs Programs) (*Stack, error) {
	dir, err := os.MkdirTemp("", "modelvigil-stack-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL, which refuses to be root, has its data in here
		return nil, err
	}

	names := make([]string, 0, len(project.Services))
	for name := range project.Services {
		names = append(names, name)
	}
	slices.Sort(names)
	n := network{first: [2]byte{byte(1 + rand.IntN(254)), byte(1 + rand.IntN(254))}, names: names}
	return &Stack{Project: project, programs: programs, dir: dir, network: n, services: map[string]*service{}, done: map[string]bool{}}, nil
}

// Up starts a service after what it depends on, as far as that doesn't run yet,
// and waits until all of it is healthy or done.
func (s *Stack) Up(ctx context.Context, name string) error {
	if err := s.upstream(ctx, name); err != nil {
		return err
	}

	s.mu.Lock()
	running, done := s.services[name], s.done[name]
	s.mu.Unlock()
	if running != nil || done {
		return nil
	}

	config := s.Project.Services[name]
	started, err := s.start(config)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}

	s.mu.Lock()
	s.services[name] = started
	s.mu.Unlock()
	if config.HealthCheck != nil {
		return s.Healthy(ctx, name)
	}

	return nil
}

// upstream brings up what a service depends on.
func (s *Stack) upstream(ctx context.Context, name string) error {
	for _, on := range s.Project.Services[name].GetDependencies() {
		condition := s.Project.Services[name].DependsOn[on].Condition
		if condition == types.ServiceConditionCompletedSuccessfully {
			if err := s.upstream(ctx, on); err != nil {
				return err
			}
			if err := s.finish(ctx, on); err != nil {
				return err
			}
			continue
		}
		if err := s.Up(ctx, on); err != nil {
			return err
		}
	}

	return nil
}

// finish runs a job to its good end, once.
func (s *Stack) finish(ctx context.Context, name string) error {
	s.mu.Lock()
	done := s.done[name]
	s.mu.Unlock()
	if done {
		return nil
	}
	output, err := s.Run(ctx, name)
	if err != nil {
		return fmt.Errorf("run %s: %w\n%s", name, err, output)
	}

	s.mu.Lock()
	s.done[name] = true
	s.mu.Unlock()
	return nil
}

// Run runs a service to its end, as `docker compose run --rm` does, with other
// arguments than the file's if there are any, and returns what it has printed.
func (s *Stack) Run(ctx context.Context, name string, arguments ...string) (string, error) {
	if err := s.upstream(ctx, name); err != nil {
		return "", err
	}
	launch, err := s.launch(s.Project.Services[name], arguments)
	if err != nil {
		return "", err
	}

	var output bytes.Buffer
	cmd := launch.command(ctx)
	cmd.Stdout = &output
	cmd.Stderr = &output
	err = cmd.Run()
	return output.String(), err
}

// Patience ends a wait that would last for ever, as in the main module's tests, of
// which this one imports nothing. How long a service may take to become healthy, or a
// check to answer, is the file's word for a machine that does nothing else.
const Patience = 5 * time.Minute

// Healthy waits until a service's health check passes.
func (s *Stack) Healthy(ctx context.Context, name string) error {
	config := s.Project.Services[name]
	check := config.HealthCheck
	if check == nil {
		return fmt.Errorf("%s has no health check", name)
	}

	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	ticker := time.NewTicker(min(time.Duration(*check.Interval), time.Second))
	defer ticker.Stop()
	for {
		output, err := s.probe(ctx, config)
		if err == nil {
			return nil
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: %w: %s\n%s", name, err, output, s.Log(name))
		}
	}
}

// Address is where a service's port is.
func (s *Stack) Address(name string, port int) string {
	return fmt.Sprintf("%s:%d", s.network.address(name), port)
}

// PID is a service's process as it is now; it must be up.
func (s *Stack) PID(name string) int {
	s.mu.Lock()
	running := s.services[name]
	s.mu.Unlock()
	running.mu.Lock()
	defer running.mu.Unlock()
	return running.process.Process.Pid
}

// Log is what a service has printed so far, over its restarts.
func (s *Stack) Log(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, name+".log"))
	return string(text)
}

// Crash ends a service's process at once. Its restart policy brings it back, or not.
func (s *Stack) Crash(name string) {
	s.mu.Lock()
	running := s.services[name]
	s.mu.Unlock()
	if running != nil {
		running.crash()
	}
}

// Stop ends what runs, dependents first, and removes all files.
func (s *Stack) Stop() {
	for _, name := range slices.Backward(s.order()) {
		s.mu.Lock()
		running := s.services[name]
		delete(s.services, name)
		s.mu.Unlock()
		if running != nil {
			running.stop()
		}
	}
	_ = os.RemoveAll(s.dir)
}

// order has each service after what it depends on.
func (s *Stack) order() (order []string) {
	var visit func(string)
	visit = func(name string) {
		if slices.Contains(order, name) {
			return
		}
		for _, on := range s.Project.Services[name].GetDependencies() {
			visit(on)
		}
		order = append(order, name)
	}

	for _, name := range s.network.names {
		visit(name)
	}
	return order
}
