package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: 100 a second on every Linux of today.
const tick = 10 * time.Millisecond

// serverTime is what the server's processes have used of the processors, with what they
// have started: PostgreSQL has one process for each connection.
func serverTime() (total time.Duration) {
	servers := strings.Fields(os.Getenv("SERVER_PIDS"))
	for _, server := range servers {
		total += timeOf("/proc/"+server+"/stat", servers, true)
	}

	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		total += timeOf(stat, servers, false)
	}
	return total
}

// timeOf is the processor time of a process; with that of the children it has waited
// for if it is a server itself, else only if it is a child of one.
func timeOf(stat string, servers []string, isServer bool) time.Duration {
	content, err := os.ReadFile(stat)
	if err != nil {
		return 0 // it has ended
	}
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	last := 12 // utime and stime
	if isServer {
		last = 14 // and those of children
	} else if !isOneOf(fields[1], servers) {
		return 0
	}

	var ticks int64
	for _, field := range fields[11 : last+1] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * tick
}

func isOneOf(pid string, servers []string) bool {
	for _, server := range servers {
		if pid == server {
			return true
		}
	}
	return false
}

// processTime is what a process has used of the processors.
func processTime(pid int) time.Duration {
	return timeOf(fmt.Sprintf("/proc/%d/stat", pid), nil, true)
}

// peakMemory is the most that a process has held, in bytes.
func peakMemory(pid int) int64 {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(content), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10
}
