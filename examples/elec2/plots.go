package main

import (
	"fmt"
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours that tell apart, also to the colour-blind: Okabe & Ito, "Color universal
// design", 2008.
var (
	grey   = color.RGBA{0x99, 0x99, 0x99, 0xff}
	blue   = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	green  = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	purple = color.RGBA{0xcc, 0x79, 0xa7, 0xff}
)

const (
	plotWidth  = 9 * vg.Inch
	plotHeight = 4 * vg.Inch
	smoothed   = 28 // days that a plotted accuracy is the mean of
	everyDay   = 3  // days from one plotted point to the next
)

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = x
	p.Y.Label.Text = y
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color = color.Gray{0xe0}
	p.Add(grid)
	p.BackgroundColor = color.White
	return p
}

// PlotTime draws the accuracy of the schedules over time, and a mark for each
// retraining of the recommended policy.
func (s *Study) PlotTime(file string) error {
	chosen := s.Choices[0].Course
	p := newPlot(fmt.Sprintf("%s on ELEC2: mean accuracy of the last %d days", s.Learner, smoothed), "", "%")
	p.X.Tick.Marker = plot.TimeTicks{Format: "Jan 2006", Ticker: months{}}
	lowest := 100.0
	for _, line := range []struct {
		course *Course
		name   string
		color  color.Color
	}{
		{s.Static, "static", grey},
		{s.Daily, fmt.Sprintf("daily (%d retrainings)", len(s.Daily.Retrained)), green},
		{s.FiveDaily, fmt.Sprintf("every 5 days (%d)", len(s.FiveDaily.Retrained)), blue},
		{chosen, fmt.Sprintf("%s (%d), below: when", families[0].File, len(chosen.Retrained)), orange},
	} {
		means := rolling(line.course.ByDay(), smoothed)
		var points plotter.XYs
		for i := 0; i < len(means); i += everyDay {
			at := firstDay.AddDate(0, 0, s.First()+i+smoothed)
			points = append(points, plotter.XY{X: float64(at.Unix()), Y: 100 * means[i] / HalfHours})
			lowest = min(lowest, points[len(points)-1].Y)
		}

		drawn, err := plotter.NewLine(points)
		if err != nil {
			return err
		}

		drawn.Color = line.color
		drawn.Width = vg.Points(1.4)
		p.Add(drawn)
		p.Legend.Add(line.name, drawn)
	}

	marks := make(plotter.XYs, len(chosen.Retrained))
	for i, day := range chosen.Retrained {
		marks[i] = plotter.XY{X: float64(firstDay.AddDate(0, 0, day+1).Unix()), Y: lowest - 3}
	}
	retrained, err := plotter.NewScatter(marks)
	if err != nil {
		return err
	}

	retrained.GlyphStyle = draw.GlyphStyle{Color: orange, Radius: vg.Points(4), Shape: tick{}}
	p.Add(retrained)
	p.Y.Min = lowest - 4
	p.Legend.Top = false
	p.Legend.Left = false
	p.Legend.YOffs = vg.Points(14)
	return p.Save(plotWidth, plotHeight, file)
}

// PlotCost draws the accuracy on the last 70 % over the number of retrainings:
// the curve of periodic retraining, and a point for each policy.
func (s *Study) PlotCost(file string) error {
	from, until := s.Split(), s.Days
	p := newPlot(s.Learner+" on the last 70 % of ELEC2", "retrainings", "accuracy, %")
	var curve plotter.XYs
	for _, n := range []int{24, 30, 36, 44, 54, 66, 80, 95, 110, 132, 165, 220, 330, 661} {
		curve = append(curve, plotter.XY{X: float64(n), Y: 100 * PeriodicOf(s.Matrix, n, from, until).Accuracy(from, until)})
	}
	periodic, err := plotter.NewLine(curve)
	if err != nil {
		return err
	}

	periodic.Color = blue
	periodic.Width = vg.Points(1.4)
	p.Add(periodic)
	p.Legend.Add(fmt.Sprintf("periodic, mean of %d phases", phases), periodic)
	daily := curve[len(curve)-1]
	goal, err := plotter.NewLine(plotter.XYs{{X: curve[0].X, Y: daily.Y - within}, {X: goalShare * daily.X, Y: daily.Y - within}})
	if err != nil {
		return err
	}

	goal.Color = grey
	goal.Width = vg.Points(1.2)
	goal.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(goal)
	p.Legend.Add("goal: above this at a fifth of daily's", goal)
	for i, choice := range append(append([]*Choice{}, s.Choices...), s.Tried...) {
		if choice.Course == nil {
			continue
		}

		at := plotter.XY{X: float64(choice.Course.Retrainings(from, until)), Y: 100 * choice.Course.Accuracy(from, until)}
		point, err := plotter.NewScatter(plotter.XYs{at})
		if err != nil {
			return err
		}

		switch {
		case i < len(s.Choices):
			point.GlyphStyle = draw.GlyphStyle{Color: []color.Color{orange, purple, green}[i], Radius: vg.Points(4.5), Shape: draw.CircleGlyph{}}
			p.Legend.Add(choice.File, point)
		default:
			point.GlyphStyle = draw.GlyphStyle{Color: grey, Radius: vg.Points(3), Shape: draw.RingGlyph{}}
			if i == len(s.Choices) {
				p.Legend.Add("tried", point)
			}
		}

		p.Add(point)
	}

	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = numbers{}
	return p.Save(plotWidth, plotHeight, file)
}

// numbers ticks the logarithmic axis of retrainings.
type numbers struct{}

// Ticks implements plot.Ticker.
func (numbers) Ticks(least, most float64) (ticks []plot.Tick) {
	for _, n := range []float64{30, 60, 100, 132, 200, 300, 661} {
		if least <= n && n <= most {
			ticks = append(ticks, plot.Tick{Value: n, Label: fmt.Sprintf("%.0f", n)})
		}
	}
	return ticks
}

// months ticks every third month.
type months struct{}

// Ticks implements plot.Ticker.
func (months) Ticks(least, most float64) (ticks []plot.Tick) {
	for at := time.Date(1996, time.July, 1, 0, 0, 0, 0, time.UTC); float64(at.Unix()) <= most; at = at.AddDate(0, 3, 0) {
		if float64(at.Unix()) >= least {
			ticks = append(ticks, plot.Tick{Value: float64(at.Unix()), Label: "month"})
		}
	}
	return ticks
}

// tick is a vertical stroke.
type tick struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (tick) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: style.Color, Width: vg.Points(0.6)})
	var path vg.Path
	path.Move(vg.Point{X: at.X, Y: at.Y - style.Radius})
	path.Line(vg.Point{X: at.X, Y: at.Y + style.Radius})
	c.Stroke(path)
}
