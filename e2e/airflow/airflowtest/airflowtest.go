// Package airflowtest runs a real Airflow for tests: API server, scheduler and DAG
// processor of one machine, with a database and a directory of its own.
package airflowtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/internal/patience"
)

// PathVariable names the variable that holds the path of an airflow executable.
const PathVariable = "MODELVIGIL_AIRFLOW"

// startTimeout is how long a process of Airflow's may take to come up. It takes 10 to
// 30 s on 2 cores, most of it for importing Python modules.
const startTimeout = patience.Limit

// username is the administrator's. Beside him there are "trainer", who may use DAGs,
// and "reader", who may look at them; all have the same password.
const username = "vigil"

// Server is a running Airflow.
type Server struct {
	API                // the one that tasks report to
	DAGs        string // the folder of DAG files; a file that is put there is found within seconds
	Answers     string // the folder that is told to DAGs as MODELVIGIL_ANSWERS
	airflow     string // the executable
	dir         string
	environment []string
	processes   []*process
}

// Start runs the airflow executable at path over copies of the DAG files in dags, in
// a directory below dir. Close ends it; so does the end of this process.
func Start(ctx context.Context, path, dir, dags string) (*Server, error) {
	s := &Server{airflow: path, dir: dir, DAGs: filepath.Join(dir, "dags"), Answers: filepath.Join(dir, "answers")}
	if err := os.CopyFS(s.DAGs, os.DirFS(dags)); err != nil {
		return nil, fmt.Errorf("copy the DAG files: %w", err)
	}
	if err := os.Mkdir(s.Answers, 0o755); err != nil {
		return nil, err
	}
	if err := s.SetPassword("correct horse battery staple"); err != nil {
		return nil, err
	}

	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := s.setEnvironment(address); err != nil {
		return nil, err
	}
	if err := s.createDatabase(ctx); err != nil {
		return nil, err
	}

	for _, name := range []string{"scheduler", "dag-processor"} {
		p, err := startProcess(s, name, nil, name)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.processes = append(s.processes, p)
	}

	s.server = s
	s.address = address
	if err := errors.Join(s.Start(ctx), s.awaitHealth(ctx)); err != nil {
		s.Close()
		return nil, err
	}

	return s, nil
}

// setEnvironment is by variables, so that nothing of this user's own Airflow counts.
func (s *Server) setEnvironment(address string) error {
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AIRFLOW") {
			s.environment = append(s.environment, variable)
		}
	}

	logs, err := freeAddress()
	if err != nil {
		return err
	}

	_, logPort, _ := net.SplitHostPort(logs)
	const secret = "a secret of 64 bytes or more, for all processes of this Airflow to share"
	for name, value := range map[string]string{
		"CORE__DAGS_FOLDER": s.DAGs, "CORE__LOAD_EXAMPLES": "False", "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
		"DATABASE__SQL_ALCHEMY_CONN": s.databaseURL(60 * time.Second),
		"CORE__EXECUTOR":             "LocalExecutor", "CORE__PARALLELISM": "16", "CORE__MAX_ACTIVE_TASKS_PER_DAG": "16",
		"CORE__SIMPLE_AUTH_MANAGER_USERS":          username + ":admin,trainer:user,reader:viewer",
		"CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": s.passwordFile(),
		"CORE__EXECUTION_API_SERVER_URL":           "http://" + address + "/execution/",
		"API__SECRET_KEY":                          secret, "API_AUTH__JWT_SECRET": secret, "API_AUTH__JWT_LEEWAY": "0",
		"SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
		"DAG_PROCESSOR__REFRESH_INTERVAL":      "1", "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
		"LOGGING__WORKER_LOG_SERVER_PORT": logPort,
	} {
		s.environment = append(s.environment, "AIRFLOW__"+name+"="+value)
	}

	s.environment = append(s.environment, "AIRFLOW_HOME="+s.dir, "MODELVIGIL_ANSWERS="+s.Answers, "PYTHONWARNINGS=ignore")
	return nil
}

// createDatabase makes one of SQLite's whose readers and writer don't lock each other
// out: a write-ahead log is a property of the file.
func (s *Server) createDatabase(ctx context.Context) error {
	const log = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode=WAL')"
	for _, command := range [][]string{
		{s.airflow, "db", "migrate"},
		{filepath.Join(filepath.Dir(s.airflow), "python"), "-c", log, s.databaseFile()},
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = s.environment
		cmd.Dir = s.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("create the database of airflow: %w\n%s", err, out)
		}
	}

	return nil
}

func (s *Server) databaseFile() string { return filepath.Join(s.dir, "airflow.db") }

// databaseURL is of a connection that waits so long for another's write.
func (s *Server) databaseURL(wait time.Duration) string {
	return fmt.Sprintf("sqlite:///%s?timeout=%g", s.databaseFile(), wait.Seconds())
}

func (s *Server) passwordFile() string { return filepath.Join(s.dir, "passwords.json") }

// SetPassword is every user's from now on. The tokens that were given out
// before stay good.
func (s *Server) SetPassword(password string) error {
	passwords, err := json.Marshal(map[string]string{username: password, "trainer": password, "reader": password})
	if err != nil {
		return err
	}

	// Renamed into place: a login never reads half of it.
	scratch := s.passwordFile() + ".new"
	if err := os.WriteFile(scratch, passwords, 0o600); err != nil {
		return err
	}
	s.Password = password
	return os.Rename(scratch, s.passwordFile())
}

// awaitHealth waits for the heartbeats of scheduler and DAG processor.
func (s *Server) awaitHealth(ctx context.Context) error {
	return s.await(ctx, "scheduler and DAG processor are well", func() error {
		var health map[string]struct{ Status string }
		if _, err := s.Call(ctx, http.MethodGet, "/api/v2/monitor/health", nil, &health); err != nil {
			return err
		}
		if health["scheduler"].Status != "healthy" || health["dag_processor"].Status != "healthy" {
			return fmt.Errorf("their health is %v", health)
		}
		return nil
	})
}

// AwaitDAG waits until a DAG is as wanted.
func (s *Server) AwaitDAG(ctx context.Context, dag string, wanted func(fields map[string]any) bool) error {
	return s.await(ctx, "DAG "+dag+" is as wanted", func() error {
		var fields map[string]any
		if _, err := s.Call(ctx, http.MethodGet, "/api/v2/dags/"+dag, nil, &fields); err != nil {
			return err
		}
		if !wanted(fields) {
			return fmt.Errorf("it is %v", fields)
		}
		return nil
	})
}

// await waits for a fact, as long as all processes run.
func (s *Server) await(ctx context.Context, what string, fact func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := fact()
		if err == nil {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("airflow: not in time: %s: %w\n%s", what, err, s.Output())
		case <-ticker.C:
		}

		for _, p := range s.processes {
			if p.hasEnded() {
				return fmt.Errorf("airflow: %s has ended by itself\n%s", p.name, s.Output())
			}
		}
	}
}

// Output is the end of what the processes have written.
func (s *Server) Output() string {
	const shown = 4000
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(s.dir, "*.out"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(file), text[max(0, len(text)-shown):])
	}
	return all.String()
}

// Close ends all processes.
func (s *Server) Close() {
	s.Stop()
	for _, p := range s.processes {
		p.stop()
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
