// Package report shows results as a table, as JSON and as a plot.
//
// It keeps every number of every round. It shows the median of the rounds; a ratio is that of two medians.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"holdfast/bench/tempbytes"
)

// The names of the peers.
const (
	Holdfast = "Holdfast"
	Tusd     = "tusd"
	Direct   = "direct" // the SDK, directly with the store
	Nginx    = "nginx"  // in front of the store, with a permission service; it has no uploads
	Node     = "@tus/server"
	Python   = "FastAPI" // a small service with aioboto3, written for the benchmark
)

// Unit is the unit of a row's speed.
type Unit string

const (
	Megabytes Unit = "MB/s"
	Requests  Unit = "req/s"
)

// Measured is the result of one peer in one round.
type Measured struct {
	Seconds    float64         `json:"seconds"`
	Bytes      int64           `json:"bytes"`      // of content
	Operations int             `json:"operations"` // requests, or uploads where one is many requests
	CPU        Usage           `json:"cpu_seconds"`
	PeakRSS    int64           `json:"peak_rss_bytes"` // of the server
	Temp       tempbytes.Count `json:"temporary_files"`
}

// Usage is processor time in seconds: of the server, of the permission service that it asks, of the store behind it,
// of the client that sends, and of everything else on the machine.
type Usage struct {
	Server     float64 `json:"server"`
	Permission float64 `json:"permission,omitempty"`
	Store      float64 `json:"store"`
	Client     float64 `json:"client"`
	Others     float64 `json:"others"`
}

// Sub returns what was used since an earlier reading.
func (u Usage) Sub(earlier Usage) Usage {
	// The kernel counts in hundredths; further digits are rounding errors.
	minus := func(a, b float64) float64 { return math.Round((a-b)*100) / 100 }
	return Usage{minus(u.Server, earlier.Server), minus(u.Permission, earlier.Permission), minus(u.Store, earlier.Store),
		minus(u.Client, earlier.Client), minus(u.Others, earlier.Others)}
}

// Metric is a property of a measurement.
type Metric string

const (
	Speed         Metric = "speed" // in the row's unit
	CPU           Metric = "CPU"   // of the server: seconds for a GiB, or milliseconds for a request
	PermissionCPU Metric = "CPU of the permission service"
	StoreCPU      Metric = "CPU of the store"
	ClientCPU     Metric = "CPU of the client"
	PeakRSS       Metric = "peak RSS"        // MiB
	TempBytes     Metric = "temporary bytes" // MiB
)

// Metric returns one number of the measurement, in the unit that the Metric names.
func (m Measured) Metric(of Metric, unit Unit) float64 {
	switch of {
	case Speed:
		if unit == Megabytes {
			return per(float64(m.Bytes)/1e6, m.Seconds)
		}
		return per(float64(m.Operations), m.Seconds)
	case CPU:
		return m.each(m.CPU.Server, unit)
	case PermissionCPU:
		return m.each(m.CPU.Permission, unit)
	case StoreCPU:
		return m.each(m.CPU.Store, unit)
	case ClientCPU:
		return m.each(m.CPU.Client, unit)
	case PeakRSS:
		return float64(m.PeakRSS) / (1 << 20)
	default:
		return float64(m.Temp.Bytes) / (1 << 20)
	}
}

// each returns the share of one GiB, or, in milliseconds, of one request.
func (m Measured) each(seconds float64, unit Unit) float64 {
	if unit == Megabytes {
		return per(seconds, float64(m.Bytes)/(1<<30))
	}
	return per(seconds*1000, float64(m.Operations))
}

func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Peer is the result of one peer in a row.
type Peer struct {
	Name   string     `json:"name"`
	Rounds []Measured `json:"rounds"`
	// Median is derived from Rounds by Finish.
	Median map[Metric]float64 `json:"median"`
	// Calls are the calls to the store for one operation, by S3's names.
	Calls map[string]float64 `json:"s3_calls_per_operation,omitempty"`
}

// Row is one task that several peers did.
type Row struct {
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Unit      Unit    `json:"unit"`
	Operation string  `json:"operation"` // the unit for which calls are counted
	Peers     []*Peer `json:"peers"`
}

// Peer returns the peer of that name; nil if it took no part.
func (r *Row) Peer(name string) *Peer {
	for _, p := range r.Peers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Ratio returns Holdfast's median divided by another peer's; false if one is missing or zero.
func (r *Row) Ratio(of Metric, beside string) (float64, bool) {
	ours, other := r.Peer(Holdfast), r.Peer(beside)
	if ours == nil || other == nil || len(ours.Rounds) == 0 || len(other.Rounds) == 0 || other.Median[of] == 0 {
		return 0, false
	}
	return ours.Median[of] / other.Median[of], true
}

// Machine describes the machine of the measurement.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	Kernel string `json:"kernel"`
}

// Report is a whole run.
type Report struct {
	Date     string            `json:"date"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rounds   int               `json:"rounds"`
	Short    bool              `json:"short"`
	Notes    []string          `json:"notes"`
	Rows     []*Row            `json:"rows"`
	Targets  []Outcome         `json:"targets"`
}

// Finish derives the medians and judges the targets.
func (r *Report) Finish(targets []Target) {
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			p.Median = map[Metric]float64{}
			for _, m := range []Metric{Speed, CPU, PermissionCPU, StoreCPU, ClientCPU, PeakRSS, TempBytes} {
				var all []float64
				for _, round := range p.Rounds {
					all = append(all, round.Metric(m, row.Unit))
				}
				p.Median[m] = Median(all)
			}
		}
	}
	r.Targets = nil
	for _, t := range targets {
		if o, measured := r.judge(t); measured {
			r.Targets = append(r.Targets, o)
		}
	}
}

// Others returns the share of the processors that other processes had during the measurement.
func (r *Report) Others() float64 {
	var used, all float64
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			for _, m := range p.Rounds {
				used += m.CPU.Others
				all += m.Seconds * float64(r.Machine.Cores)
			}
		}
	}
	return max(0, per(used, all)) // because of ticks the difference may be below 0
}

// Median returns the middle value, or the mean of the middle two; 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// ReadJSON reads the output of WriteJSON.
func ReadJSON(from io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return nil, fmt.Errorf("read a report: %w", err)
	}
	return &r, nil
}
