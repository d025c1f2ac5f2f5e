package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/tools/shipped/compose/stack"
)

// The file is public: a password in it would be everybody's. Each installation makes
// up its own, keeps it over restarts, and lets nobody in without it.
func TestTheDatabasesPasswordIsMadeUpAndKept(t *testing.T) {
	programs := stack.Programs{PostgreSQL: os.Getenv("MODELVIGIL_POSTGRESQL")}
	if programs.PostgreSQL == "" {
		t.Skip("MODELVIGIL_POSTGRESQL is not set; `make e2e-compose` sets it")
	}

	made := map[string]bool{}
	for range 2 {
		s, err := stack.New(load(t), programs)
		require.NoError(t, err)
		t.Cleanup(s.Stop)
		require.NoError(t, s.Up(t.Context(), "postgresql"))
		password := passwordOf(t, s)
		assert.Regexp(t, `^[0-9a-f]{48}$`, password)
		made[password] = true

		output, err := s.Run(t.Context(), "password")
		require.NoError(t, err, output)
		assert.Equal(t, password, passwordOf(t, s), "it is made once")

		assert.NoError(t, logIn(t, s, programs, password))
		for _, wrong := range []string{"temporal", strings.Repeat("0", 48)} {
			assert.Error(t, logIn(t, s, programs, wrong))
		}
	}
	assert.Len(t, made, 2, "another installation has another one")
}

func TestAPasswordThatIsSetIsTaken(t *testing.T) {
	project, err := stack.Load(t.Context(), filepath.Join(root, "docker-compose.yml"), "POSTGRES_PASSWORD=of $one's \"own\"")
	require.NoError(t, err)
	s, err := stack.New(project, stack.Programs{})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	output, err := s.Run(t.Context(), "password")
	require.NoError(t, err, output)
	assert.Equal(t, `of $one's "own"`, passwordOf(t, s))
}

func passwordOf(t *testing.T, s *stack.Stack) string {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(s.Volume("password"), "postgresql"))
	require.NoError(t, err)
	return string(password)
}

// logIn asks the stack's database something, by a password.
func logIn(t *testing.T, s *stack.Stack, programs stack.Programs, password string) error {
	t.Helper()
	host, _, _ := strings.Cut(s.Address("postgresql", 5432), ":")
	psql := exec.CommandContext(t.Context(), filepath.Join(programs.PostgreSQL, "psql"), "--host", host, "--username", "temporal", "--command", "SELECT 1", "postgres")
	psql.Env = append(os.Environ(), "PGPASSWORD="+password)
	_, err := psql.CombinedOutput()
	return err
}
