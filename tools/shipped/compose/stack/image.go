package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// launch is a service's process: what, with which environment, as whom.
type launch struct {
	arguments   []string
	environment []string
	path        string // where programs are looked for
	credential  *syscall.Credential
	crash, stop syscall.Signal
}

// launch says how a service is run. Arguments, if any, replace the file's.
func (s *Stack) launch(service types.ServiceConfig, arguments []string) (launch, error) {
	l := launch{crash: syscall.SIGKILL, stop: syscall.SIGTERM}
	mounted, err := s.configs(service)
	if err != nil {
		return l, err
	}

	volumes, err := s.volumes(service)
	if err != nil {
		return l, err
	}

	for name, value := range service.Environment {
		if value == nil {
			continue
		}
		resolved := s.network.resolve(service, name, *value)
		if path, ok := mounted[resolved]; ok {
			resolved = path
		}
		l.environment = append(l.environment, name+"="+volumes.Replace(resolved))
	}

	l.arguments = append(l.arguments, service.Entrypoint...)
	if len(arguments) == 0 {
		arguments = service.Command
	}
	l.arguments = append(l.arguments, arguments...)
	for i, argument := range l.arguments {
		l.arguments[i] = volumes.Replace(argument)
	}
	if err := s.image(service, &l); err != nil {
		return l, err
	}

	l.path += ":/usr/local/bin:/usr/bin:/bin"
	l.environment = append(l.environment, "PATH="+l.path, "HOME="+s.dir)
	return l, nil
}

// configs writes a service's configs, by the path that they have in the container.
func (s *Stack) configs(service types.ServiceConfig) (map[string]string, error) {
	mounted := map[string]string{}
	for _, config := range service.Configs {
		path := filepath.Join(s.dir, config.Source)
		if err := os.WriteFile(path, []byte(s.Project.Configs[config.Source].Content), 0o644); err != nil {
			return nil, err
		}
		mounted[config.Target] = path
	}
	return mounted, nil
}

// volumes makes the directories of a service's volumes, and puts their paths here in
// place of those that they have in the container.
func (s *Stack) volumes(service types.ServiceConfig) (*strings.Replacer, error) {
	var paths []string
	for _, volume := range service.Volumes {
		path := s.Volume(volume.Source)
		if volume.Target == postgresData {
			continue // which postgres makes, for whom it runs as
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		paths = append(paths, volume.Target, path)
	}

	return strings.NewReplacer(paths...), nil
}

// Volume is the directory of a named volume.
func (s *Stack) Volume(name string) string { return filepath.Join(s.dir, name) }

// postgresData is where the official image keeps a database.
const postgresData = "/var/lib/postgresql/data"

// image adds what a container has from its image.
func (s *Stack) image(service types.ServiceConfig, l *launch) error {
	switch image, _, _ := strings.Cut(service.Image, ":"); image {
	case "postgres":
		if len(service.Entrypoint) > 0 {
			return nil // a job that needs its shell alone
		}
		return s.postgres(service, l)
	case "temporalio/server":
		l.path = s.programs.Server
		// Written for Alpine's shell, which knows pipefail, as Debian's does not.
		entrypoint := "bash " + filepath.Join(s.programs.Server, "entrypoint.sh")
		for i, argument := range l.arguments {
			l.arguments[i] = strings.ReplaceAll(argument, "/etc/temporal/entrypoint.sh", entrypoint)
		}
	case "temporalio/admin-tools":
		l.path = s.programs.Server + ":" + filepath.Dir(s.programs.Temporal)
	case "modelvigil":
		l.path = s.programs.Modelvigil
		if len(service.Entrypoint) == 0 {
			l.arguments = append([]string{"/modelvigil-worker"}, l.arguments...)
		}
		l.arguments[0] = filepath.Join(s.programs.Modelvigil, l.arguments[0])
	default:
		return fmt.Errorf("service %s: nothing is known of image %s", service.Name, service.Image)
	}

	return nil
}

// postgres is what the official image does: a cluster whose superuser is
// POSTGRES_USER, by password from everywhere, made at its first start.
func (s *Stack) postgres(service types.ServiceConfig, l *launch) error {
	l.path = s.programs.PostgreSQL
	l.stop = syscall.SIGINT
	l.crash = syscall.SIGQUIT
	data := s.Volume("postgresql")
	l.arguments = append([]string{
		filepath.Join(s.programs.PostgreSQL, "postgres"), "-D", data, "-k", data, "-c", "listen_addresses=" + s.network.address(service.Name),
	}, l.arguments...)
	var err error
	l.credential, err = unprivileged()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}

	volumes, err := s.volumes(service)
	if err != nil {
		return err
	}
	password := volumes.Replace(*service.Environment["POSTGRES_PASSWORD_FILE"])
	if l.credential != nil {
		if err := os.Chown(data, int(l.credential.Uid), int(l.credential.Gid)); err != nil {
			return err
		}
	}

	initdb := exec.Command(filepath.Join(s.programs.PostgreSQL, "initdb"), "-D", data, "--username="+*service.Environment["POSTGRES_USER"],
		"--pwfile="+password, "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")
	initdb.Dir = s.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: l.credential}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}

	return nil
}

// unprivileged is who runs PostgreSQL where this process is root: the user that
// Debian's package makes.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // as whoever this process is
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

// command is the launch as a command that ends with ctx.
func (l launch) command(ctx context.Context) *exec.Cmd {
	program := l.arguments[0]
	for _, dir := range filepath.SplitList(l.path) {
		if candidate := filepath.Join(dir, program); !filepath.IsAbs(program) && isFile(candidate) {
			program = candidate
			break
		}
	}

	cmd := exec.CommandContext(ctx, program, l.arguments[1:]...)
	cmd.Env = l.environment
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: l.credential}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// probe runs a service's health check once.
func (s *Stack) probe(ctx context.Context, service types.ServiceConfig) (string, error) {
	l, err := s.launch(service, nil)
	if err != nil {
		return "", err
	}
	test := service.HealthCheck.Test
	if len(test) < 2 || test[0] != "CMD" {
		return "", fmt.Errorf("health check %q is not of the form [CMD, …]", test)
	}

	l.arguments = nil
	for _, argument := range test[1:] {
		l.arguments = append(l.arguments, s.network.local(service.Name, argument))
	}
	if strings.HasPrefix(service.Image, "modelvigil") {
		l.arguments[0] = filepath.Join(s.programs.Modelvigil, l.arguments[0])
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	out, err := l.command(ctx).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
