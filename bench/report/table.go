package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the report as text.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	r.head(&b)
	peers := r.peers()
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	r.speeds(t, peers)
	r.costs(t, peers)
	if err := t.Flush(); err != nil {
		return err
	}
	r.calls(&b)
	if len(r.Targets) > 0 {
		fmt.Fprintln(&b, "\nTargets")
		for _, o := range r.Targets {
			fmt.Fprintf(&b, "  %s\n", o)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) head(b *strings.Builder) {
	fmt.Fprintf(b, "%s; %d cores, %s, %d MiB, Linux %s\n", r.Date, r.Machine.Cores, r.Machine.CPU,
		r.Machine.Memory>>20, r.Machine.Kernel)
	fmt.Fprintf(b, "%s\nmedians of %d round(s); others had %.0f %% of the processors meanwhile\n",
		strings.Join(r.versions(), ", "), r.Rounds, 100*r.Others())
	if r.Short {
		fmt.Fprintln(b, "SHORT: a tenth of everything, only to see whether it works; these numbers say little")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "note: %s\n", n)
	}
	fmt.Fprintln(b)
}

// versions returns names with versions.
func (r *Report) versions() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		all = append(all, name+" "+r.Versions[name])
	}
	return all
}

// peers returns all peers, Holdfast first.
func (r *Report) peers() (names []string) {
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

func (r *Report) speeds(w io.Writer, peers []string) {
	heading(w, "Speed", peers, func(name string) string { return Holdfast + "/" + name })
	for _, row := range r.Rows {
		line(w, "  "+row.Title, string(row.Unit), peers, func(name string) string { return row.shown(name, Speed) },
			func(name string) string { return row.ratio(Speed, name) })
	}
}

// heading writes the line over a part of the table; ratio names a column for each other peer.
func heading(w io.Writer, title string, peers []string, ratio func(peer string) string) {
	line(w, title, "", peers, func(peer string) string { return peer }, ratio)
}

// line writes a column for each peer, and then one for each but Holdfast.
func line(w io.Writer, title, unit string, peers []string, shown, ratio func(peer string) string) {
	fmt.Fprintf(w, "%s\t%s", title, unit)
	for _, name := range peers {
		fmt.Fprintf(w, "\t%s", shown(name))
	}
	for _, name := range peers {
		if name != Holdfast {
			fmt.Fprintf(w, "\t%s", ratio(name))
		}
	}
	fmt.Fprintln(w)
}

// costs writes the CPU table.
func (r *Report) costs(w io.Writer, peers []string) {
	// The last columns are the ratios of speed on a machine where only the processors are the limit. Unlike the speed
	// they hardly change if other processes are busy, too.
	heading(w, "\nCPU: server + store + client", peers, func(name string) string {
		return "sum of " + name + "/" +
			Holdfast
	})
	for _, row := range r.Rows {
		line(w, "  "+row.Title, row.perUnit(), peers, row.allCPU, row.sumRatio)
	}
	peers = slices.DeleteFunc(slices.Clone(peers), func(name string) bool { return name == Direct })
	for _, m := range []struct {
		metric Metric
		title  string
	}{
		{CPU, "CPU of the server"},
		{PeakRSS, "Peak RSS of the server"},
		{TempBytes, "Written to temporary files"},
	} {
		heading(w, "\n"+m.title, peers, func(name string) string { return Holdfast + "/" + name })
		for _, row := range r.Rows {
			unit := "MiB"
			if m.metric == CPU {
				unit = row.perUnit()
			}
			line(w, "  "+row.Title, unit, peers, func(name string) string { return row.shown(name, m.metric) },
				func(name string) string { return row.ratio(m.metric, name) })
		}
	}
}

// perUnit returns the unit of the row's CPU.
func (r *Row) perUnit() string {
	if r.Unit == Megabytes {
		return "s/GiB"
	}
	return "ms/request"
}

// allCPU shows how the processor time is divided. The direct put has no server; the permission service's time is in
// brackets beside the server that asks it.
func (r *Row) allCPU(name string) string {
	p := r.Peer(name)
	if p == nil || len(p.Rounds) == 0 {
		return "-"
	}
	text := number(p.Median[StoreCPU]) + " + " + number(p.Median[ClientCPU])
	if asked := p.Median[PermissionCPU]; asked > 0 {
		text = "(" + number(asked) + ") + " + text
	} else if name != Direct {
		text = "+ " + text
	}
	if name != Direct {
		text = number(p.Median[CPU]) + " " + text
	}
	return text
}

func (r *Row) sumRatio(beside string) string {
	ours, other := r.sumCPU(Holdfast), r.sumCPU(beside)
	if ours == 0 || other == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fx", other/ours)
}

// sumCPU is the processor time of all processes together.
func (r *Row) sumCPU(name string) float64 {
	p := r.Peer(name)
	if p == nil {
		return 0
	}
	return p.Median[CPU] + p.Median[PermissionCPU] + p.Median[StoreCPU] + p.Median[ClientCPU]
}

func (r *Row) shown(name string, m Metric) string {
	p := r.Peer(name)
	if p == nil || len(p.Rounds) == 0 {
		return "-"
	}
	text := number(p.Median[m])
	if m == TempBytes {
		var missed int64
		for _, round := range p.Rounds {
			missed += round.Temp.Missed
		}
		if missed > 0 {
			text = fmt.Sprintf("%s (%d files were gone unseen)", text, missed)
		}
	}
	return text
}

func (r *Row) ratio(m Metric, beside string) string {
	if ratio, ok := r.Ratio(m, beside); ok {
		return fmt.Sprintf("%.2fx", ratio)
	}
	return "-"
}

// number writes three digits or more.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// calls writes a line for each peer: there are too many kinds for columns.
func (r *Report) calls(b *strings.Builder) {
	first := true
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if p.Calls == nil {
				continue
			}
			if first {
				fmt.Fprintln(b, "\nCalls to the store for one operation (counted apart, untimed)")
				first = false
			}
			fmt.Fprintf(b, "  %-34s %-9s %s\n", row.Operation, p.Name, callList(p.Calls))
		}
	}
}

// callList writes the sum and then each kind, the most frequent first.
func callList(calls map[string]float64) string {
	kinds := slices.SortedFunc(maps.Keys(calls), func(a, b string) int {
		if calls[a] != calls[b] {
			if calls[a] > calls[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	sum := 0.0
	var parts []string
	for _, k := range kinds {
		sum += calls[k]
		parts = append(parts, k+" "+short(calls[k]))
	}
	if len(parts) == 0 {
		return "0"
	}
	return short(sum) + ": " + strings.Join(parts, ", ")
}

// short writes a number with the decimals that it needs, two at most.
func short(v float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
}
