package setting

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/modelvigil/modelvigil/internal/plain"
)

// wrongValue is a fault that shows how a value is written. The example is the
// variable's default where it has one; Parse sets it.
type wrongValue struct{ form, example, got string }

func (e *wrongValue) Error() string {
	return fmt.Sprintf("must be %s, got %q", fmt.Sprintf(e.form, e.example), e.got)
}

// maxTaskQueueBytes leaves room for the suffix of the retraining queue in what a
// server takes as the name of a task queue (limit.maxIDLength, 1000).
const maxTaskQueueBytes = 900

// TaskQueue is the name of the monitors' task queue.
type TaskQueue string

// UnmarshalText refuses what a server would not take as the name of a task queue.
func (q *TaskQueue) UnmarshalText(text []byte) error {
	switch name := string(text); {
	case len(name) > maxTaskQueueBytes:
		return fmt.Errorf("must have at most %d bytes, has %d", maxTaskQueueBytes, len(name))
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsSpace) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("must be a name without spaces, got %q", name)
	default:
		*q = TaskQueue(name)
		return nil
	}
}

// HostPort is an address to listen on. No host means every address of the machine,
// port 0 any that is free.
type HostPort string

// UnmarshalText reads host:port.
func (a *HostPort) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return &wrongValue{"host:port such as %s", "127.0.0.1:8080", string(text)}
	}
	*a = HostPort(text)
	return nil
}

// IsLoopback says that only this machine reaches the address. A name is looked at,
// not looked up.
func (a HostPort) IsLoopback() bool {
	host, _, _ := net.SplitHostPort(string(a))
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Duration is above zero.
type Duration time.Duration

// UnmarshalText reads Go's form of a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	duration, err := time.ParseDuration(string(text))
	if err != nil || duration <= 0 {
		return &wrongValue{"a duration above zero such as %s or 1m30s", "30s", string(text)}
	}
	*d = Duration(duration)
	return nil
}

// Bool is written as true or false; and 1, t, 0 and f will do.
type Bool bool

// UnmarshalText reads either word, in capitals too.
func (b *Bool) UnmarshalText(text []byte) error {
	value, err := strconv.ParseBool(strings.ToLower(string(text)))
	if err != nil {
		return fmt.Errorf("must be true or false, got %q", text)
	}
	*b = Bool(value)
	return nil
}

// LogLevel is a level of log/slog.
type LogLevel slog.Level

// UnmarshalText reads the level's name.
func (l *LogLevel) UnmarshalText(text []byte) error {
	var level slog.Level
	if err := level.UnmarshalText(text); err != nil {
		return fmt.Errorf("must be debug, info, warn or error, got %q", text)
	}
	*l = LogLevel(level)
	return nil
}

// LogFormat is text or json.
type LogFormat string

// UnmarshalText reads either word.
func (f *LogFormat) UnmarshalText(text []byte) error {
	if name := strings.ToLower(string(text)); slices.Contains([]string{"text", "json"}, name) {
		*f = LogFormat(name)
		return nil
	}
	return fmt.Errorf("must be text or json, got %q", text)
}

// NewLogger writes a process's log.
func NewLogger(level LogLevel, format LogFormat, output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(level)}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(plain.JSONWriter(output), options))
	}
	return slog.New(slog.NewTextHandler(output, options))
}
