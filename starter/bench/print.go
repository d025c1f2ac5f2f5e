package bench

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) }
	row("\tevents\tdurable events/s\tsignals\thistory events\tbytes\tmodels")
	for _, t := range []struct {
		name string
		Throughput
	}{{"a signal per event", r.Naive}, {fmt.Sprintf("a signal per %d", batchedEvents), r.Batched}, {"hub", r.Hub}} {
		row("%s\t%d\t%.0f\t%d\t%d\t%d\t%d", t.name, t.Events, t.EventsPerSecond, t.Signals, t.HistoryEvents, t.HistoryBytes, t.Models)
	}

	if err := table.Flush(); err != nil {
		return err
	}

	_, err := fmt.Fprintf(w, "\nThe hub is %.0f times a signal per event; every event was counted in its monitor.\n"+
		"A publish costs %.0f ns of its goroutine.\n\n"+
		"From a breach published until ModelOps is called, %d times;\n"+
		"monitors alive %d, publishers of each %d, healthy events/s meanwhile %d:\n"+
		"p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, max %.0f ms; this process held at most %d MiB.\n\n%s",
		r.HubToNaive, r.Hub.NanosPerPublish, r.Latency.Breaches, r.Latency.Monitors, r.Latency.Publishers, r.Latency.Load,
		r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max, r.Latency.RSS>>20, r.Latency.histogram())
	return err
}

// bucket is one bar of the histogram.
type bucket struct {
	Low, High float64 // milliseconds
	Count     int
}

// buckets cuts the latencies up to p99 into at most 20 of a round width; the
// last holds what is beyond.
func (l Latency) buckets() []bucket {
	if len(l.All) == 0 {
		return nil
	}

	width := 1.0
	for _, step := range []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000} {
		width = step
		if l.P99/width <= 20 {
			break
		}
	}

	first := math.Floor(l.All[0] / width)
	last := max(first, math.Floor(l.P99/width))
	all := make([]bucket, int(last-first)+1)
	for i := range all {
		all[i].Low = (first + float64(i)) * width
		all[i].High = (first + float64(i) + 1) * width
	}

	for _, ms := range l.All {
		i := min(len(all)-1, int(math.Floor(ms/width)-first))
		all[i].Count++
	}

	all[len(all)-1].High = max(all[len(all)-1].High, l.Max)
	return all
}

func (l Latency) histogram() string {
	var text strings.Builder
	most := 1
	for _, b := range l.buckets() {
		most = max(most, b.Count)
	}
	for _, b := range l.buckets() {
		bar := strings.Repeat("█", (b.Count*50+most-1)/most)
		fmt.Fprintf(&text, "%6.0f to %5.0f ms %5d %s\n", b.Low, b.High, b.Count, bar)
	}
	return text.String()
}

var plot = template.Must(template.New("plot").Funcs(template.FuncMap{
	"x":   func(i int) int { return 50 + i*30 },
	"h":   func(count, most int) int { return count * 200 / most },
	"y":   func(count, most int) int { return 230 - count*200/most },
	"add": func(a, b int) int { return a + b },
}).Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="290" font-family="sans-serif" font-size="10">
<rect width="100%" height="100%" fill="#fff"/>
<text x="50" y="18" font-size="13">Breach published to ModelOps called: p50 {{printf "%.0f" .P50}} ms, p99 {{printf "%.0f" .P99}} ms, {{.Breaches}} breaches</text>
{{range $i, $b := .Buckets}}<rect x="{{x $i}}" y="{{y $b.Count $.Most}}" width="26" height="{{h $b.Count $.Most}}" fill="#4a72b8"/>
<text x="{{x $i}}" y="{{add (y $b.Count $.Most) -3}}">{{$b.Count}}</text>
<text x="{{x $i}}" y="246">{{printf "%.0f" $b.Low}}</text>
{{end}}<line x1="45" y1="230" x2="{{.Width}}" y2="230" stroke="#333"/>
<text x="50" y="268">milliseconds; the last bar holds all beyond</text>
</svg>
`))

// WritePlot writes the latency histogram as SVG.
func (l Latency) WritePlot(w io.Writer) error {
	buckets, most := l.buckets(), 1
	for _, b := range buckets {
		most = max(most, b.Count)
	}
	return plot.Execute(w, struct {
		Latency
		Buckets     []bucket
		Most, Width int
	}{l, buckets, most, max(560, 70+30*len(buckets))})
}
