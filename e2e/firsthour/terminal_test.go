// Package firsthour runs what README and tutorial tell a newcomer to type, as it
// stands there, in a clean clone of this tree.
package firsthour

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fresh are the programs that a newcomer has: a Debian as it is installed, with what
// README and tutorial ask for. None else is on the PATH.
var fresh = strings.Fields(`
	bash sh env cat cp mv rm mkdir mktemp ln ls chmod date dirname basename readlink realpath head tail cut sort uniq tr wc tee
	seq sleep true false test printf uname id nproc base64 touch find xargs grep sed awk flock tar gzip kill
	go make git curl`)

// isReady asks whether a program in a terminal of its own does what the next block needs.
var isReady = map[string]string{
	"server start-dev":  "(: </dev/tcp/127.0.0.1/7233)",
	"modelvigil-worker": `test -x bin/modelvigil && said=$(bin/modelvigil doctor 2>&1 || true) && ! grep "no worker" <<<"$said"`,
	"gateway":           "curl -fsS http://127.0.0.1:9465/readyz",
	"webhook.py":        "(: </dev/tcp/127.0.0.1/8000)",
}

// block is a fenced part of a document.
type block struct {
	language, text string
}

var (
	fenced   = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	itsFile  = regexp.MustCompile(`^(?:#|//) ([a-z/]+\.(?:yaml|go))\b`)
	terminal = regexp.MustCompile(`^# a terminal of its own`)
)

// blocks are a document's, in their order.
func blocks(t *testing.T, document string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", document))
	require.NoError(t, err)

	var found []block
	for _, match := range fenced.FindAllStringSubmatch(string(text), -1) {
		found = append(found, block{match[1], match[2]})
	}
	return found
}

// newcomer is somebody at a terminal, in a clean clone.
type newcomer struct {
	clone, path, home string
	// extra are variables that stand for what the machine is set up with.
	extra []string
}

// sitDown clones the tree under test, with what is changed and not committed yet.
func sitDown(t *testing.T) newcomer {
	t.Helper()
	dir := t.TempDir()
	n := newcomer{clone: filepath.Join(dir, "modelvigil"), path: filepath.Join(dir, "path"), home: filepath.Join(dir, "home")}
	require.NoError(t, os.MkdirAll(n.path, 0o755))
	require.NoError(t, os.MkdirAll(n.home, 0o755))

	top, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skipf("needs a git checkout to clone, which the tree under test is not: %v", err)
	}
	root := strings.TrimSpace(string(top))
	said(t, "git", "clone", "--quiet", root, n.clone)
	changed := said(t, "git", "-C", root, "ls-files", "-z", "--modified", "--others", "--exclude-standard")
	for file := range strings.SplitSeq(strings.TrimSuffix(changed, "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil { // it is deleted
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(n.clone, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(n.clone, file), content, 0o755))
	}

	for _, program := range append(fresh, "python3") {
		real, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("needs what a newcomer has, and this machine lacks it: %v", err)
		}
		if program != "python3" { // which may be one that looks for itself by its path
			require.NoError(t, os.Symlink(real, filepath.Join(n.path, program)))
		}
	}
	python := strings.TrimSpace(said(t, "python3", "-c", "import sys; print(sys.executable)"))
	require.NoError(t, os.WriteFile(filepath.Join(n.path, "python3"), []byte("#!/bin/sh\nexec "+python+` "$@"`+"\n"), 0o755))
	return n
}

// said is what a program wrote to its standard output; it has to succeed.
func said(t *testing.T, program string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s\n%s", program, strings.Join(args, " "), stderr.String())
	return string(out)
}

// goes types a document's blocks and returns what each of them printed, by its number.
// Programs that serve go on in terminals of their own, and end when all is done.
func (n newcomer) goes(t *testing.T, typed []block) []string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script(typed, out))
	cmd.Dir = n.clone
	cmd.Env = append([]string{"PATH=" + n.path, "HOME=" + n.home}, n.extra...)
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOFLAGS", "GOTOOLCHAIN", "GOSUMDB"} {
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(said(t, "go", "env", name)))
	}
	cache, err := os.UserCacheDir() // where the Temporal CLI was built
	require.NoError(t, err)
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+cache, "GOPROXY=off")

	alone(cmd)
	var shown bytes.Buffer
	cmd.Stdout, cmd.Stderr = &shown, &shown
	err = cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("needs a network of its own, which nobody may make here (unprivileged user namespaces)")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()

	printed := make([]string, len(typed))
	var all strings.Builder
	for i := range typed {
		content, _ := os.ReadFile(filepath.Join(out, fmt.Sprint(i)))
		printed[i] = string(content)
		fmt.Fprintf(&all, "--- %s%s", typed[i].text, content)
	}
	t.Log(all.String())
	require.NoError(t, err, "a block failed: %s", shown.String())
	return printed
}

// alone gives a command a network of its own, where the ports that documents name are
// free, and makes all that it starts one group.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:     true,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}

// loopback raises the one interface of a new network.
const loopback = `python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 1))'`

// script is what is typed: files are saved, programs in terminals of their own go on,
// and each block's output is kept in a file.
func script(typed []block, out string) string {
	var s strings.Builder
	s.WriteString("set -euo pipefail\n" + loopback + "\n")
	for i, b := range typed {
		kept := fmt.Sprintf(">%s/%d 2>&1", out, i)
		switch file := itsFile.FindStringSubmatch(b.text); {
		case file != nil:
			fmt.Fprintf(&s, "mkdir -p \"$(dirname %s)\"; cat >%s <<'END OF FILE'\n%sEND OF FILE\n", file[1], file[1], b.text)
		case b.language != "sh":
		case terminal.MatchString(b.text):
			fmt.Fprintf(&s, "{\n%s} %s &\n", b.text, kept)
			for program, asked := range isReady {
				if strings.Contains(b.text, program) {
					fmt.Fprintf(&s, "until { %s; } >%s/asked 2>&1; do kill -0 $!; sleep 0.2; done\n", asked, out)
				}
			}
		default:
			fmt.Fprintf(&s, "{\n%s} %s\n", b.text, kept)
		}
	}
	return s.String()
}
