package tune

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/internal/plain"
)

// Certified is a certificate with its operating curve.
type Certified struct {
	*certify.Certificate
	Curve *Curve
}

// WritePage writes certificates as one HTML page that needs nothing beside itself.
func WritePage(w io.Writer, all []Certified, per time.Duration) error {
	var shown []shownCertificate
	for _, c := range all {
		s := shownCertificate{Text: certify.Text([]*certify.Certificate{c.Certificate}, per), Name: c.Policy + " over " + c.ModelName, Lacks: c.Curve.Lacks}
		for i := range c.Changes {
			if c.Curve.Lacks == "" {
				s.Charts = append(s.Charts, chartOf(&c, i, per))
			}
		}
		if len(c.Changes) == 0 {
			s.Lacks = "no change was sought; --change accuracy=-0.03 draws the operating curve"
		}
		shown = append(shown, s)
	}
	if err := page.Execute(w, shown); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}

	return nil
}

type shownCertificate struct {
	Name, Text, Lacks string
	Charts            []chart
}

// chart is a curve in the coordinates of the page.
type chart struct {
	Change, Per string
	Dots        []dot
	Line        string // through the dots
	Calendar    string // what a calendar of as many retrainings does
	XTicks      []tick
	YTicks      []tick
}

type dot struct {
	X, Y  float64
	Title string
	IsOwn bool // the policy as it is
}

type tick struct {
	At   float64
	Text string
}

// The plot within its chart, in the page's pixels.
const (
	left, right, top, bottom = 70., 640., 20., 300.
)

// chartOf draws false alarms, as their root so that the rare ones have room, against the
// mean delay.
func chartOf(c *Certified, change int, per time.Duration) chart {
	drawn := chart{Change: c.Changes[change].Change, Per: c.Per}
	most, slowest := c.FalseAlarms.Mean, c.Changes[change].Mean
	for _, p := range c.Curve.Points {
		most = max(most, p.FalseAlarms.Mean)
		slowest = max(slowest, p.Changes[change].Mean)
	}
	if most == 0 || slowest == 0 {
		most = max(most, 1)
		slowest = max(slowest, 1)
	}

	place := func(rate, delay float64) (x, y float64) {
		return left + (right-left)*math.Sqrt(rate/most), bottom - (bottom-top)*min(1, delay/slowest)
	}
	var line []string
	for _, p := range c.Curve.Points {
		d := dot{Title: p.said() + ", found after " + plain.Length(seconds(p.Changes[change].Mean))}
		d.X, d.Y = place(p.FalseAlarms.Mean, p.Changes[change].Mean)
		line = append(line, fmt.Sprintf("%.1f,%.1f", d.X, d.Y))
		drawn.Dots = append(drawn.Dots, d)
	}
	own := dot{IsOwn: true, Title: "the policy: " + certify.RateText(c.FalseAlarms.Mean) + " false alarms, found after " + plain.Length(seconds(c.Changes[change].Mean))}
	own.X, own.Y = place(c.FalseAlarms.Mean, c.Changes[change].Mean)
	drawn.Dots = append(drawn.Dots, own)
	drawn.Line = strings.Join(line, " ")

	const steps = 60
	var calendar []string
	for i := 1; i <= steps; i++ {
		rate := most * math.Pow(float64(i)/steps, 2)
		distance := per.Seconds() / rate
		horizon := certify.Horizon.Seconds()
		delay := distance / 2
		if distance > horizon { // it comes within the horizon so often, and then in half of it
			found := horizon / distance
			delay = found*horizon/2 + (1-found)*horizon
		}
		x, y := place(rate, delay)
		calendar = append(calendar, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	drawn.Calendar = strings.Join(calendar, " ")

	for i := range 5 {
		share := float64(i) / 4
		x, y := place(most*share*share, slowest*share)
		drawn.XTicks = append(drawn.XTicks, tick{x, certify.RateText(most * share * share)})
		drawn.YTicks = append(drawn.YTicks, tick{y, plain.Length(seconds(slowest * share))})
	}
	return drawn
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

var page = template.Must(template.New("certificates").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>How often these policies cry wolf</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto }
svg text { font: 12px system-ui, sans-serif; fill: #444 }
</style></head><body>
{{range .}}<h1>{{.Name}}</h1>
<pre>{{.Text}}</pre>
{{if .Lacks}}<p>No operating curve: {{.Lacks}}.</p>{{end}}
{{range .Charts}}<h2>{{.Change}}: delay against false alarms</h2>
<p>Each point is the policy with other thresholds; the large one is the policy as it is. Below the dashed line it finds the change sooner
than a calendar of as many retrainings. What is not found within 30 days counts as 30 days.</p>
<svg viewBox="0 0 680 350" role="img" aria-label="operating curve of {{.Change}}">
<path d="M70 20 V300 H640" fill="none" stroke="#888"/>
{{range .XTicks}}<text x="{{.At}}" y="318" text-anchor="middle">{{.Text}}</text>{{end}}
{{range .YTicks}}<text x="62" y="{{.At}}" dy="4" text-anchor="end">{{.Text}}</text>{{end}}
<text x="355" y="342" text-anchor="middle">false alarms per {{.Per}}</text>
<polyline points="{{.Calendar}}" fill="none" stroke="#999" stroke-dasharray="5 4"/>
<polyline points="{{.Line}}" fill="none" stroke="#1f77b4"/>
{{range .Dots}}<circle cx="{{.X}}" cy="{{.Y}}" r="{{if .IsOwn}}8{{else}}4{{end}}" fill="{{if .IsOwn}}#d62728{{else}}#1f77b4{{end}}"><title>{{.Title}}</title></circle>
{{end}}</svg>
{{end}}{{end}}</body></html>
`))
