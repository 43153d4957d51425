package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// bar is one ratio in the plot.
type bar struct {
	label  string
	ratio  float64
	target *Outcome // nil: nothing is asked of it
}

// bars are all ratios of speed, then those of CPU that have a target, and nginx's.
func (r *Report) bars() (all []bar) {
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if ratio, ok := row.Ratio(Speed, p.Name); ok && p.Name != Holdfast {
				all = append(all, bar{row.Title + ", beside " + p.Name, ratio, r.outcome(row.Name, Speed, p.Name)})
			}
		}
	}
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			o := r.outcome(row.Name, CPU, p.Name)
			if ratio, ok := row.Ratio(CPU, p.Name); ok && (o != nil || p.Name == Nginx) {
				all = append(all, bar{row.Title + ", CPU beside " + p.Name + " (less is better)", ratio, o})
			}
		}
	}
	return all
}

func (r *Report) outcome(row string, m Metric, beside string) *Outcome {
	for i, o := range r.Targets {
		if o.Row == row && o.Metric == m && o.Beside == beside {
			return &r.Targets[i]
		}
	}
	return nil
}

var errNoRatios = errors.New("there is no ratio to draw")

// Theme is the paper that is drawn on.
type Theme struct{ paper, ink color.Color }

// Light and Dark are for pages of both kinds. Each brings its own ground, since nobody
// knows what stands behind a picture.
func Light() Theme { return Theme{color.White, color.RGBA{R: 0x1f, G: 0x23, B: 0x28, A: 0xff}} }
func Dark() Theme {
	return Theme{color.RGBA{R: 0x0d, G: 0x11, B: 0x17, A: 0xff}, color.RGBA{R: 0xe6, G: 0xed, B: 0xf3, A: 0xff}}
}

// WritePlot draws the ratios as an SVG: bars from 1 on, to the right where Holdfast has
// more. The scale is logarithmic, so that twice as much is as long as half as much.
func (r *Report) WritePlot(w io.Writer, theme Theme) error {
	all := r.bars()
	if len(all) == 0 {
		return fmt.Errorf("plot: %w", errNoRatios)
	}
	p := plot.New()
	r.dress(p, theme)
	low, high := -1.0, 1.0
	names := make([]string, len(all))
	for i, b := range all {
		y := len(all) - 1 - i // the first on top
		names[y] = b.label
		if err := b.draw(p, float64(y), theme); err != nil {
			return fmt.Errorf("plot: %w", err)
		}
		low, high = min(low, b.low()), max(high, b.high())
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(all))-0.3
	p.X.Min, p.X.Max = math.Floor(low)-0.2, high+1.2 // room for the last text
	p.Add(&plotter.Line{XYs: plotter.XYs{{X: 0, Y: p.Y.Min}, {X: 0, Y: p.Y.Max}},
		LineStyle: draw.LineStyle{Color: color.Gray{Y: 0x80}, Width: vg.Points(1)}})

	width, height := vg.Points(820), vg.Points(90+26*float64(len(all)))
	canvas := vgsvg.New(width, height)
	ground := draw.New(canvas) // the margin, too
	ground.FillPolygon(theme.paper, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	// A margin, since the reader's font may be wider than the one that was measured.
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(30), vg.Points(-10), vg.Points(8), vg.Points(-8)))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	// Where that font is missing, another one without serifs.
	if _, err := w.Write(bytes.ReplaceAll(svg.Bytes(), []byte("Liberation Sans"), []byte("Liberation Sans,Arial,sans-serif"))); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

// dress says what is seen.
func (r *Report) dress(p *plot.Plot, theme Theme) {
	p.BackgroundColor = theme.paper
	p.Title.Text = "Holdfast as a multiple of others"
	p.X.Label.Text = fmt.Sprintf("times as much (%s, %d cores, medians of %d); the mark is the target: green is reached, red is not",
		r.Date, r.Machine.Cores, r.Rounds)
	for f, size := range map[*font.Font]float64{&p.Title.TextStyle.Font: 13, &p.X.Label.TextStyle.Font: 9,
		&p.X.Tick.Label.Font: 10, &p.Y.Tick.Label.Font: 9} {
		f.Variant, f.Size = "Sans", vg.Points(size)
	}
	for _, c := range []*color.Color{&p.Title.TextStyle.Color, &p.X.Label.TextStyle.Color, &p.X.Tick.Label.Color, &p.Y.Tick.Label.Color,
		&p.X.LineStyle.Color, &p.X.Tick.LineStyle.Color, &p.Y.LineStyle.Color, &p.Y.Tick.LineStyle.Color} {
		*c = theme.ink
	}
	p.X.Label.Padding, p.Title.Padding = vg.Points(6), vg.Points(8)
	p.X.Tick.Marker = plot.TickerFunc(ticks)
}

// low and high are how far the bar and its mark go, in powers of two.
func (b bar) low() float64  { return min(0, math.Log2(b.ratio), b.mark()) }
func (b bar) high() float64 { return max(0, math.Log2(b.ratio), b.mark()) }

func (b bar) mark() float64 {
	if b.target == nil {
		return 0
	}
	return math.Log2(b.target.Value)
}

// draw adds the bar, the mark of its target, and its number.
func (b bar) draw(p *plot.Plot, y float64, theme Theme) error {
	chart, err := plotter.NewBarChart(plotter.Values{math.Log2(b.ratio)}, vg.Points(14))
	if err != nil {
		return err
	}
	chart.Horizontal, chart.XMin, chart.LineStyle.Width, chart.Color = true, y, 0, b.colour()
	p.Add(chart)
	text := fmt.Sprintf("%.2fx", b.ratio)
	if b.target != nil {
		text += fmt.Sprintf(", asked for %gx", b.target.Value)
		mark, err := plotter.NewLine(plotter.XYs{{X: b.mark(), Y: y - 0.42}, {X: b.mark(), Y: y + 0.42}})
		if err != nil {
			return err
		}
		mark.Width, mark.Color = vg.Points(2), theme.ink
		p.Add(mark)
	}
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: b.high(), Y: y}}, Labels: []string{text}})
	if err != nil {
		return err
	}
	label.Offset.X = vg.Points(5)
	label.TextStyle[0].YAlign, label.TextStyle[0].Color = draw.YCenter, theme.ink
	label.TextStyle[0].Font.Variant, label.TextStyle[0].Font.Size = "Sans", vg.Points(9)
	p.Add(label)
	return nil
}

func (b bar) colour() color.Color {
	switch {
	case b.target == nil:
		return color.RGBA{R: 0x8a, G: 0x9b, B: 0xb0, A: 0xff}
	case b.target.Reached:
		return color.RGBA{R: 0x3a, G: 0x8f, B: 0x5c, A: 0xff}
	}
	return color.RGBA{R: 0xc4, G: 0x53, B: 0x3d, A: 0xff}
}

// ticks are the powers of two.
func ticks(low, high float64) (all []plot.Tick) {
	for x := math.Ceil(low); x <= high; x++ {
		label := fmt.Sprintf("%gx", math.Exp2(x))
		if x < 0 {
			label = fmt.Sprintf("1/%gx", math.Exp2(-x))
		}
		all = append(all, plot.Tick{Value: x, Label: label})
	}
	return all
}
