package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"holdfast/bench/report"
	"holdfast/bench/tempbytes"
)

// sample is a run of two rounds: Holdfast streams twice as fast as tusd with a quarter of the CPU, and answers HEAD as
// fast.
func sample() *report.Report {
	stream := func(seconds, cpu float64, temp int64) report.Measured {
		return report.Measured{Seconds: seconds, Bytes: 1 << 30, Operations: 1, CPU: report.Usage{Server: cpu, Store: 3,
			Client: 1, Others: 0.5},
			PeakRSS: 64 << 20, Temp: tempbytes.Count{Bytes: temp, Files: temp >> 20}}
	}
	head := report.Measured{Seconds: 2, Operations: 3000, CPU: report.Usage{Server: 1.5}, PeakRSS: 32 << 20}
	r := &report.Report{Date: "2026-01-31", Machine: report.Machine{CPU: "A CPU", Cores: 2, Memory: 8 << 30,
		Kernel: "6.1"},
		Versions: map[string]string{"tusd": "v2", "Go": "go1"}, Rounds: 2, Notes: []string{"one thing"},
		Rows: []*report.Row{
			{Name: "stream", Title: "1 GiB in one stream", Unit: report.Megabytes, Operation: "upload of 1 GiB",
				Peers: []*report.Peer{
					{Name: report.Holdfast, Rounds: []report.Measured{stream(4, 1, 0), stream(6, 1, 0)},
						Calls: map[string]float64{"UploadPart": 128, "CreateMultipartUpload": 1, "CompleteMultipartUpload": 1}},
					{Name: report.Tusd, Rounds: []report.Measured{stream(10, 4, 1<<30), stream(10, 4, 1<<30)},
						Calls: map[string]float64{}},
					{Name: report.Direct, Rounds: []report.Measured{stream(4, 0, 0), stream(4, 0, 0)}},
				}},
			{Name: "head", Title: "HEAD", Unit: report.Requests, Operation: "HEAD", Peers: []*report.Peer{
				{Name: report.Holdfast, Rounds: []report.Measured{head, head}},
				{Name: report.Tusd, Rounds: []report.Measured{head, head}, Calls: map[string]float64{"GetObject": 1,
					"ListParts": 0.333}},
			}},
		}}
	r.Finish([]report.Target{
		{Row: "stream", Metric: report.Speed, Beside: report.Tusd, Value: 1.2},
		{Row: "stream", Metric: report.CPU, Beside: report.Tusd, AtMost: true, Value: 0.5},
		{Row: "stream", Metric: report.TempBytes, AtMost: true},
		{Row: "head", Metric: report.Speed, Beside: report.Tusd, Value: 8},
		{Row: "head", Metric: report.Speed, Beside: report.Direct, Value: 8}, // was not measured
		{Row: "post", Metric: report.Speed, Beside: report.Tusd, Value: 3},   // nor was this
	})
	return r
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{100, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		given := append([]float64(nil), c.of...)
		if got := report.Median(c.of); got != c.want {
			t.Errorf("of %v: %v", c.of, got)
		}
		if !reflect.DeepEqual(given, c.of) {
			t.Errorf("%v became %v", given, c.of)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := sample()
	near := func(got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%v, not %v", got, want)
		}
	}
	ours := r.Rows[0].Peer(report.Holdfast).Median
	near(ours[report.Speed], (float64(1<<30)/4e6+float64(1<<30)/6e6)/2)
	near(ours[report.CPU], 1)
	near(ours[report.StoreCPU], 3)
	near(ours[report.PeakRSS], 64)
	near(r.Rows[0].Peer(report.Tusd).Median[report.TempBytes], 1024)
	asked := r.Rows[1].Peer(report.Holdfast).Median
	near(asked[report.Speed], 1500)
	near(asked[report.CPU], 0.5)
	near(r.Others(), 6*0.5/((4+6+10+10+4+4+4*2)*2))
	if _, ok := r.Rows[1].Ratio(report.Speed, report.Direct); ok {
		t.Error("a ratio to who was not there")
	}
	var nothing report.Measured
	if got := nothing.Metric(report.Speed, report.Requests); got != 0 {
		t.Error(got)
	}
}

func TestTargets(t *testing.T) {
	var got []bool
	for _, o := range sample().Targets {
		got = append(got, o.Reached)
	}
	if want := []bool{true, true, true, false}; !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
}

// One byte in one round is too many, and so is a file whose bytes could not be counted.
func TestTemporaryBytesOfEachRound(t *testing.T) {
	for _, count := range []tempbytes.Count{{Bytes: 1, Files: 1}, {Files: 1, Missed: 1}} {
		r := sample()
		r.Rows[0].Peer(report.Holdfast).Rounds[1].Temp = count
		r.Finish([]report.Target{{Row: "stream", Metric: report.TempBytes, AtMost: true}})
		if len(r.Targets) != 1 || r.Targets[0].Reached {
			t.Errorf("%v: %v", count, r.Targets)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	const want = `2026-01-31; 2 cores, A CPU, 8192 MiB, Linux 6.1
Go go1, tusd v2
medians of 2 round(s); others had 3 % of the processors meanwhile
note: one thing

Speed                           Holdfast   tusd   direct   Holdfast/tusd   Holdfast/direct
  1 GiB in one stream   MB/s    224        107    268      2.08x           0.83x
  HEAD                  req/s   1500       1500   -        1.00x           -

CPU: server + store + client                Holdfast             tusd                 direct        ` +
		`sum of tusd/Holdfast   sum of direct/Holdfast
  1 GiB in one stream          s/GiB        1.00 + 3.00 + 1.00   4.00 + 3.00 + 1.00   3.00 + 1.00   ` +
		`1.60x                  0.80x
  HEAD                         ms/request   0.50 + 0 + 0         0.50 + 0 + 0         -             ` +
		`1.00x                  -

CPU of the server                    Holdfast   tusd   Holdfast/tusd
  1 GiB in one stream   s/GiB        1.00       4.00   0.25x
  HEAD                  ms/request   0.50       0.50   1.00x

Peak RSS of the server         Holdfast   tusd   Holdfast/tusd
  1 GiB in one stream    MiB   64.0       64.0   1.00x
  HEAD                   MiB   32.0       32.0   1.00x

Written to temporary files         Holdfast   tusd   Holdfast/tusd
  1 GiB in one stream        MiB   0          1024   0.00x
  HEAD                       MiB   0          0      -

Calls to the store for one operation (counted apart, untimed)
  upload of 1 GiB                    Holdfast  130: UploadPart 128, CompleteMultipartUpload 1, CreateMultipartUpload 1
  upload of 1 GiB                    tusd      0
  HEAD                               tusd      1.33: GetObject 1, ListParts 0.33

Targets
  reached      1 GiB in one stream, speed beside tusd: 2.08x (>= 1.2x)
  reached      1 GiB in one stream, CPU beside tusd: 0.25x (<= 0.5x)
  reached      1 GiB in one stream, temporary bytes: 0.00 (<= 0)
  NOT REACHED  HEAD, speed beside tusd: 1.00x (>= 8x)
`
	got := trimLines(b.String())
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// nginx has ratios of speed and CPU, too. The CPU of the permission service is in brackets: it is part of the sum, but
// not of the server's.
func TestNginxInTableAndPlot(t *testing.T) {
	r := sample()
	ask := func(server, permission float64) []report.Measured {
		return []report.Measured{{Seconds: 1, Operations: 1000, CPU: report.Usage{Server: server, Permission: permission,
			Store: 1, Client: 0.5}}}
	}
	r.Rows = []*report.Row{{Name: "ranges", Title: "Ranges", Unit: report.Requests, Peers: []*report.Peer{
		{Name: report.Holdfast, Rounds: ask(0.5, 0)}, {Name: report.Direct, Rounds: ask(0, 0)},
		{Name: report.Nginx, Rounds: ask(0.4, 0.1)}}}}
	r.Finish(nil)
	var table, svg bytes.Buffer
	if err := errors.Join(r.WriteTable(&table), r.WritePlot(&svg, report.Light())); err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(trimLines(table.String()), "\n\n")
	rows, _, _ = strings.Cut(rows, "\n\nPeak")
	const want = `Speed              Holdfast   direct   nginx   Holdfast/direct   Holdfast/nginx
  Ranges   req/s   1000       1000     1000    1.00x             1.00x

CPU: server + store + client                Holdfast             direct        nginx                       ` +
		`sum of direct/Holdfast   sum of nginx/Holdfast
  Ranges                       ms/request   0.50 + 1.00 + 0.50   1.00 + 0.50   0.40 (0.10) + 1.00 + 0.50   ` +
		`0.75x                    1.00x

CPU of the server                Holdfast   nginx   Holdfast/nginx
  Ranges            ms/request   0.50       0.40    1.25x`
	if rows != want {
		t.Errorf("got:\n%s\nwant:\n%s", rows, want)
	}
	for _, text := range []string{"Ranges, beside nginx",
		"Processor time of the server, as a multiple of others&#39; (less is better)", "1.25x"} {
		if !bytes.Contains(svg.Bytes(), []byte(">"+text+"<")) {
			t.Errorf("%q is not in the plot", text)
		}
	}
}

// trimLines removes spaces at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// A run that ended early has rows without numbers.
func TestTableOfNothing(t *testing.T) {
	r := sample()
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			p.Rounds, p.Calls = nil, nil
		}
	}
	r.Finish(nil)
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(),
		"Targets") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := r.WritePlot(io.Discard, report.Light()); err == nil {
		t.Error("nothing was drawn, without an error")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := report.ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	// An empty map is left out.
	r.Rows[0].Peer(report.Tusd).Calls = nil
	if !reflect.DeepEqual(r, back) {
		t.Errorf("%+v\nbecame\n%+v", r, back)
	}
	if _, err := report.ReadJSON(strings.NewReader("{")); err == nil {
		t.Error("half a report was read")
	}
}

func TestPlot(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WritePlot(&b, report.Dark()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1 GiB in one stream, beside tusd", "2.08x", "0.83x", "0.25x", "1/2x"} {
		if !bytes.Contains(b.Bytes(), []byte(">"+text+"<")) {
			t.Errorf("%q is not in the plot", text)
		}
	}
	if marks := bytes.Count(b.Bytes(), []byte(` width="2" height="14"`)); marks != 3 {
		t.Errorf("%d marks of targets", marks)
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// The page has all numbers, marks the rows that are behind, and reports files that were missed.
func TestMarkdown(t *testing.T) {
	r := sample()
	r.Rows[0].Peer(report.Tusd).Rounds[0].Temp.Missed = 1
	r.Finish([]report.Target{{Row: "head", Metric: report.Speed, Beside: report.Tusd, Value: 8}})
	var tables, summary, behind bytes.Buffer
	if err := errors.Join(r.WriteMarkdown(&tables), r.WriteSummary(&summary), r.WriteBehind(&behind)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"2026-01-31, 2 cores of A CPU, 8 GiB of memory, Linux 6.1. Medians of 2 round(s); other programs had 3 % of the " +
			"processors meanwhile.",
		"| 1 GiB in one stream | MB/s | 224 | 107 | 268 | 2.08x | **0.83x** |",
		"| 1 GiB in one stream | s/GiB | 1.00 | 4.00 | 0.25x |",
		"| 1 GiB in one stream | MiB | 0 | 1024 or more | 0.00x |",
		"| HEAD | 0 | 1.33 |",
	} {
		if !strings.Contains(tables.String(), line+"\n") {
			t.Errorf("%q is not in\n%s", line, tables.String())
		}
	}
	if want := "| HEAD, req/s | 1500 | 1500 | 1.00x | - | - |\n"; !strings.Contains(summary.String(), want) {
		t.Errorf("%q is not in\n%s", want, summary.String())
	}
	var bounds, brief bytes.Buffer
	if err := errors.Join(r.WriteBounds(&bounds), r.WriteBrief(&brief)); err != nil {
		t.Fatal(err)
	}
	// 1 + 3 + 1 seconds of 2 x 4 or 6 are 52 %, and the direct put takes 3 + 1.
	const bound = "| `stream` | s/GiB | 1.00 + 3.00 + 1.00 | 52 % | direct | 0.83x | 0.80x | 1.00x |\n" +
		"| `head` | ms/request | 0.50 + 0 + 0 | 38 % | tusd | 1.00x | 1.00x | - |\n"
	if !strings.HasSuffix(bounds.String(), bound) {
		t.Errorf("%q is not in\n%s", bound, bounds.String())
	}
	if b := brief.String(); !strings.Contains(b, "\nVersions: Go go1, tusd v2.\n") || strings.Contains(b, "temporary") {
		t.Error(b)
	}
	const want = "- `stream`, 1 GiB in one stream: 0.83 of the speed of direct\n- `head`, target missed: speed beside " +
		"tusd: 1.00x (>= 8x)\n"
	if behind.String() != want || !reflect.DeepEqual(r.Behind(), []string{"stream", "head"}) {
		t.Errorf("%s, %v", behind.String(), r.Behind())
	}
}
