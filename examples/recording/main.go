// Command recording writes a recording to try policies on: four weeks of a made-up
// fraud model, a row every twenty minutes, as CSV. What happens in it is known:
//
//   - day 6: a bad hour, as a late batch of labels makes one; nothing to act upon
//   - days 10 to 18: the accuracy of v7 decays from 0.94 to 0.86
//   - day 18: v8 takes over, as good as v7 was in the beginning
//   - day 23: slow answers for three hours
//
// The same seed gives the same recording, byte for byte:
//
//	cd examples && go run ./recording > recording/fraud.csv
package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

const (
	step = 20 * time.Minute
	day  = 24 * time.Hour
	seed = 7
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	write(out)
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

// write writes the whole recording.
func write(out io.Writer) {
	random := rand.New(rand.NewPCG(seed, seed))
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

	_, _ = fmt.Fprintln(out, "timestamp,model_version,accuracy,latency_ms")
	for since := time.Duration(0); since < 28*day; since += step {
		version, accuracy, latency := expected(since)
		accuracy += 0.008 * random.NormFloat64()
		latency += 9 * random.NormFloat64()
		_, _ = fmt.Fprintf(out, "%s,%s,%.4f,%.1f\n", begin.Add(since).Format(time.RFC3339), version, min(accuracy, 1), latency)
	}
}

// expected is what a row would say if there were no noise.
func expected(since time.Duration) (version string, accuracy, latencyMS float64) {
	const good, worst = 0.94, 0.86
	version, accuracy, latencyMS = "v7", good, 120

	badHour := 6*day + 10*time.Hour
	slow := 23*day + 14*time.Hour
	switch {
	case since >= badHour && since < badHour+time.Hour:
		accuracy = 0.71
	case since >= 10*day && since < 18*day:
		accuracy = good - (good-worst)*(since-10*day).Hours()/(8*day).Hours()
	case since >= 18*day:
		version = "v8"
	}
	if since >= slow && since < slow+3*time.Hour {
		latencyMS = 310
	}

	return version, accuracy, latencyMS
}
