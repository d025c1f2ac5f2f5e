package airflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxTasksNamed is how many failed tasks an outcome names.
	maxTasksNamed = 3
	// maxLogBytes is how much of a task's log is read for its last error, from the
	// start: Airflow has no way to ask for the end of a log.
	maxLogBytes = 8 << 20
	// notMapped is the map index of a task that isn't mapped.
	notMapped = -1
)

// taskInstances are the tasks of a run that have failed, the first of them first.
type taskInstances struct {
	Instances []taskInstance `json:"task_instances"`
	Total     int            `json:"total_entries"`
}

type taskInstance struct {
	TaskID    string `json:"task_id"`
	MapIndex  int    `json:"map_index"`
	TryNumber int    `json:"try_number"`
}

func (t taskInstance) String() string {
	if t.MapIndex == notMapped {
		return t.TaskID
	}
	return fmt.Sprintf("%s[%d]", t.TaskID, t.MapIndex)
}

// failedTasks are the first tasks that have failed; those that couldn't start for it
// are left out.
func (b *Backend) failedTasks(ctx context.Context, run string) (failed taskInstances, err error) {
	err = b.connection.call(ctx, http.MethodGet, b.path("dagRuns", run, "taskInstances"), url.Values{
		"state": {stateFailed}, "order_by": {"end_date"}, "limit": {strconv.Itoa(maxTasksNamed)},
	}, nil, &failed)
	return failed, err
}

// others tells which tasks have failed beside the first.
func (t taskInstances) others() string {
	if len(t.Instances) < 2 {
		return ""
	}

	var names []string
	for _, instance := range t.Instances[1:] {
		names = append(names, instance.String())
	}
	text := "; so did " + strings.Join(names, ", ")
	if more := t.Total - len(t.Instances); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// lastError is the exception that a task ended with, or else the last error in its
// log; empty where the log can't be read, which is no reason to keep an outcome back.
func (b *Backend) lastError(ctx context.Context, run string, task taskInstance) string {
	response, err := b.connection.open(ctx, http.MethodGet,
		b.path("dagRuns", run, "taskInstances", task.TaskID, "logs", strconv.Itoa(task.TryNumber)),
		url.Values{"map_index": {strconv.Itoa(task.MapIndex)}, "full_content": {"true"}}, nil, "application/x-ndjson")
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	return lastErrorOf(io.LimitReader(response.Body, maxLogBytes))
}

// lastErrorOf reads a log, one JSON object for each record.
func lastErrorOf(log io.Reader) string {
	var exception, event string
	for records := json.NewDecoder(log); ; {
		var record struct {
			Event  string `json:"event"`
			Level  string `json:"level"`
			Detail []struct {
				Type  string `json:"exc_type"`
				Value string `json:"exc_value"`
			} `json:"error_detail"` // the exception, then its causes
		}
		err := records.Decode(&record)
		var otherwise *json.UnmarshalTypeError // a record of another form is passed over
		switch {
		case errors.As(err, &otherwise):
		case err != nil:
			if exception != "" {
				return exception
			}
			return event
		case len(record.Detail) > 0:
			exception = strings.Trim(record.Detail[0].Type+": "+record.Detail[0].Value, ": ")
		case record.Level == "error" || record.Level == "critical":
			event = record.Event
		}
	}
}
