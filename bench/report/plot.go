package report

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
)

// bar is one ratio in the plot.
type bar struct {
	label  string
	ratio  float64
	target *Outcome // nil: it has no target
	fewer  bool     // fewer is better
}

// bars returns all ratios of speed, and those of CPU that have a target or are nginx's.
func (r *Report) bars() (speed, cpu []bar) {
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if ratio, ok := row.Ratio(Speed, p.Name); ok && p.Name != Holdfast {
				speed = append(speed, bar{row.Title + ", beside " + p.Name, ratio, r.outcome(row.Name, Speed, p.Name), false})
			}
			o := r.outcome(row.Name, CPU, p.Name)
			if ratio, ok := row.Ratio(CPU, p.Name); ok && (o != nil || p.Name == Nginx) {
				cpu = append(cpu, bar{row.Title + ", beside " + p.Name, ratio, o, true})
			}
		}
	}
	return speed, cpu
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

// Theme is a set of colours, in CSS.
type Theme struct{ Paper, Ink, Faint, Good, Bad string }

// Light and Dark are for pages of both kinds. Each has a background of its own, since the page's is unknown.
func Light() Theme { return Theme{"#ffffff", "#1f2328", "#d1d9e0", "#2f8f5b", "#c4533d"} }
func Dark() Theme  { return Theme{"#0d1117", "#e6edf3", "#3d444d", "#3fa66d", "#d9694f"} }

// Positions, in pixels.
const (
	plotWidth = 920
	labelsEnd = 390 // labels end here, and the bars begin
	barsEnd   = 840 // the rest is for numbers
	lineHigh  = 24
)

// plot is what the template draws.
type plot struct {
	Theme
	Width, Height, From, To, One float64
	Foot                         string
	Ticks                        []plotText
	Heads                        []plotText
	Bars                         []plotBar
}

type plotText struct {
	X, Y float64
	Text string
}

type plotBar struct {
	Label, Number plotText
	X, Y, Width   float64
	Colour        string
	Mark          float64 // 0: none
}

// WritePlot draws the ratios as an SVG: bars start at 1 and go to the right where Holdfast has more. The scale is
// logarithmic, so that double and half have bars of the same length.
func (r *Report) WritePlot(w io.Writer, theme Theme) error {
	speed, cpu := r.bars()
	if len(speed)+len(cpu) == 0 {
		return fmt.Errorf("plot: %w", errNoRatios)
	}
	low, high := -1.0, 1.0
	for _, b := range append(speed[:len(speed):len(speed)], cpu...) {
		low, high = min(low, b.mark(), math.Log2(b.ratio)), max(high, b.mark(), math.Log2(b.ratio))
	}
	low, high = math.Floor(low), math.Ceil(high)
	at := func(log float64) float64 { return labelsEnd + 20 + (barsEnd-labelsEnd-20)*(log-low)/(high-low) }

	p := plot{Theme: theme, Width: plotWidth, From: 36, One: at(0),
		Foot: fmt.Sprintf("%s, %d cores, medians of %d. Green: Holdfast is better. The marks are what it aims at.", r.Date,
			r.Machine.Cores, r.Rounds)}
	y := 16.0
	for _, part := range []struct {
		head string
		bars []bar
	}{{"Speed, as a multiple of others' (more is better)", speed},
		{"Processor time of the server, as a multiple of others' (less is better)", cpu}} {
		if len(part.bars) == 0 {
			continue
		}
		y += 16
		p.Heads = append(p.Heads, plotText{X: 16, Y: y, Text: part.head})
		y += 10
		for _, b := range part.bars {
			p.Bars = append(p.Bars, b.draw(at, y, theme))
			y += lineHigh
		}
		y += 12
	}
	p.To = y
	for x := low; x <= high; x++ {
		p.Ticks = append(p.Ticks, plotText{X: at(x), Y: y + 16, Text: times(x)})
	}
	p.Height = y + 50
	var svg bytes.Buffer
	if err := plotTemplate.Execute(&svg, p); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if _, err := svg.WriteTo(w); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

// mark returns the position of the target, in powers of two; 0 without one.
func (b bar) mark() float64 {
	if b.target == nil {
		return 0
	}
	return math.Log2(b.target.Value)
}

func (b bar) draw(at func(float64) float64, y float64, theme Theme) plotBar {
	from, to := min(0, math.Log2(b.ratio)), max(0, math.Log2(b.ratio))
	d := plotBar{X: at(from), Y: y + 5, Width: max(at(to)-at(from), 1), Colour: theme.Bad,
		Label: plotText{labelsEnd, y + 16, b.label}, Number: plotText{at(max(to, b.mark())) + 6, y + 16,
			fmt.Sprintf("%.2fx", b.ratio)}}
	if b.ratio >= 1 != b.fewer {
		d.Colour = theme.Good
	}
	if b.target != nil {
		d.Mark = at(b.mark())
	}
	return d
}

// times writes a power of two as a multiple.
func times(log float64) string {
	if log < 0 {
		return fmt.Sprintf("1/%gx", math.Exp2(-log))
	}
	return fmt.Sprintf("%gx", math.Exp2(log))
}

// Numbers are rounded to a tenth of a pixel. Texts are anchored at their ends, since the reader's font may be wider
// than ours.
var plotTemplate = template.Must(template.New("plot").Funcs(template.FuncMap{
	"n": func(v float64) string { return fmt.Sprintf("%.1f", v) },
}).Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{n .Width}} {{n .Height}}" ` +
	`width="{{n .Width}}" height="{{n .Height}}" ` +
	`font-family="system-ui, Segoe UI, Helvetica, Arial, sans-serif" font-size="12" fill="{{.Ink}}">
<rect width="100%" height="100%" fill="{{.Paper}}"/>
{{- range .Ticks}}
<line x1="{{n .X}}" x2="{{n .X}}" y1="{{n $.From}}" y2="{{n $.To}}" stroke="{{$.Faint}}"/>
<text x="{{n .X}}" y="{{n .Y}}" text-anchor="middle">{{.Text}}</text>
{{- end}}
{{- range .Heads}}
<rect x="0" y="{{n .Y}}" width="{{n $.Width}}" height="20" transform="translate(0 -15)" fill="{{$.Paper}}"/>
<text x="{{n .X}}" y="{{n .Y}}" font-weight="600">{{.Text}}</text>
{{- end}}
{{- range .Bars}}
<text x="{{n .Label.X}}" y="{{n .Label.Y}}" text-anchor="end">{{.Label.Text}}</text>
<rect x="{{n .X}}" y="{{n .Y}}" width="{{n .Width}}" height="14" rx="2" fill="{{.Colour}}"/>
{{- if .Mark}}
<rect x="{{n .Mark}}" y="{{n .Y}}" width="2" height="14"/>
{{- end}}
<text x="{{n .Number.X}}" y="{{n .Number.Y}}">{{.Number.Text}}</text>
{{- end}}
<line x1="{{n .One}}" x2="{{n .One}}" y1="{{n .From}}" y2="{{n .To}}" stroke="{{.Ink}}" stroke-opacity="0.4"/>
<text x="16" y="{{n .Height}}" dy="-12" font-size="11">{{.Foot}}</text>
</svg>
`))
