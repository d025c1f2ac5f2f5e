// Command with runs a command against the services of docker-compose.yml, run as
// processes without containers, which end with it:
//
//	tools/with-compose.sh bin/modelvigil bench
//
// The command has TEMPORAL_ADDRESS; PGHOST, PGUSER and PGPASSWORD for psql; and
// SERVER_PIDS, the process ids of database and server.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/modelvigil/modelvigil/tools/shipped/compose/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "with:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage: with docker-compose.yml COMMAND [ARGUMENT…]")
	}
	file, err := filepath.Abs(arguments[0])
	if err != nil {
		return err
	}

	project, err := stack.Load(ctx, file)
	if err != nil {
		return err
	}

	programs, err := stack.ProgramsFromEnvironment()
	if err != nil {
		return err
	}

	s, err := stack.New(project, programs)
	if err != nil {
		return err
	}

	defer s.Stop()
	if err := s.Up(ctx, "temporal"); err != nil {
		return err
	}
	if output, err := s.Run(ctx, "namespace"); err != nil {
		return fmt.Errorf("make the namespace: %w\n%s", err, output)
	}

	database := project.Services["postgresql"].Environment
	password, err := os.ReadFile(filepath.Join(s.Volume("password"), "postgresql"))
	if err != nil {
		return err
	}
	host, port := s.Address("postgresql", 5432), s.Address("temporal", 7233)
	cmd := exec.CommandContext(ctx, arguments[1], arguments[2:]...)
	cmd.Stdin = os.Stdin
	cmd.Stdout = os.Stdout
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+port, "PGHOST="+host[:len(host)-len(":5432")],
		"PGUSER="+*database["POSTGRES_USER"], "PGPASSWORD="+string(password),
		fmt.Sprintf("SERVER_PIDS=%d %d", s.PID("postgresql"), s.PID("temporal")))
	return cmd.Run()
}
