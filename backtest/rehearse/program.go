package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/modelvigil/modelvigil/backtest"
)

const (
	// exitGrace is how long a program may go on after the end of its output.
	exitGrace = 10 * time.Second
	// killDelay is how long one that is being ended may take.
	killDelay = 5 * time.Second
)

// perform runs the program under one policy.
func perform(ctx context.Context, policy backtest.Policy, command []string, options *Options) (*Result, error) {
	running, kill := context.WithCancel(ctx)
	defer kill()
	program := exec.CommandContext(running, command[0], command[1:]...)
	program.Stderr = options.Stderr
	program.WaitDelay = killDelay
	stdin, err := program.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := program.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := program.Start(); err != nil {
		return nil, fmt.Errorf("start the program: %w", err)
	}

	// What the program has started itself may keep its output open after it.
	stop := context.AfterFunc(running, func() { _ = stdout.Close() })
	defer stop()
	out := newOutbox(stdin)
	result, err := converse(policy, stdout, out, options)
	out.close()
	endErr := ended(running, program, kill)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case endErr != nil:
		return nil, endErr
	}

	return result, err
}

// ended waits for the program's end and says what is wrong with it.
func ended(running context.Context, program *exec.Cmd, kill func()) error {
	late := time.AfterFunc(exitGrace, kill)
	defer late.Stop()
	err := program.Wait()
	var exit *exec.ExitError
	switch {
	case running.Err() != nil:
		return fmt.Errorf("%s went on for %v after the end of its output and was killed; end it there", program.Args[0], exitGrace)
	case errors.As(err, &exit):
		return fmt.Errorf("%s ended with %w; what it said of it stands above", program.Args[0], err)
	}

	return err
}
