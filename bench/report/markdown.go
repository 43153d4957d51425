package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// section is a table of one metric.
type section struct {
	metric Metric
	title  string
	ratio  string
}

var (
	speedSection = section{Speed, "Speed", "more is better"}
	cpuSection   = section{CPU, "Processor time of the server", "less is better"}
	rssSection   = section{PeakRSS, "Memory of the server at its most", "less is better"}
	tempSection  = section{TempBytes, "Written to temporary files", "less is better"}
)

// WriteMarkdown writes the report in the form of docs/BENCHMARKS.md: the machine, a table for each metric, the calls
// to the store and the versions.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	r.sections(&b, speedSection, cpuSection, rssSection, tempSection)
	b.WriteString("\n**Calls to the store for one operation** (counted apart)\n\n| | Holdfast | tusd |\n|---|--:|--:|\n")
	for _, row := range r.Rows {
		// The JSON has no entry for zero calls; the other peer's calls show that they were counted.
		if ours, tusd := row.Peer(Holdfast), row.Peer(Tusd); ours != nil && tusd != nil &&
			len(ours.Calls)+len(tusd.Calls) > 0 {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", row.Operation, sumOf(ours.Calls), sumOf(tusd.Calls))
		}
	}
	fmt.Fprintf(&b, "\n**Versions**\n\n")
	for _, name := range r.versions() {
		fmt.Fprintf(&b, "- %s\n", name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteBrief writes a report beside the main one: less of it.
func (r *Report) WriteBrief(w io.Writer) error {
	var b strings.Builder
	r.sections(&b, speedSection, cpuSection, rssSection)
	fmt.Fprintf(&b, "\nVersions: %s.\n", strings.Join(r.versions(), ", "))
	_, err := io.WriteString(w, b.String())
	return err
}

// sections writes the machine, and tables.
func (r *Report) sections(b *strings.Builder, all ...section) {
	fmt.Fprintf(b, "%s, %d cores of %s, %d GiB of memory, Linux %s. Medians of %d round(s); %s.\n",
		r.Date, r.Machine.Cores, r.Machine.CPU, (r.Machine.Memory+1<<29)>>30, r.Machine.Kernel, r.Rounds, r.others())
	if r.Short {
		b.WriteString("\n**A short run: a tenth of everything, only to see whether it works. These numbers say little.**\n")
	}
	peers := r.peers()
	for _, m := range all {
		shown := peers
		if m.metric != Speed { // the direct put has no server
			shown = slices.DeleteFunc(slices.Clone(peers), func(name string) bool { return name == Direct })
		}
		fmt.Fprintf(b, "\n**%s** (%s)\n\n", m.title, m.ratio)
		r.markdown(b, m.metric, shown)
	}
}

// markdown writes the table of one metric: a column for each peer, then Holdfast's ratio to each other peer.
func (r *Report) markdown(b *strings.Builder, m Metric, peers []string) {
	head, rule := "| | |", "|---|---|"
	for _, name := range peers {
		head, rule = head+" "+name+" |", rule+"--:|"
	}
	for _, name := range peers[1:] {
		head, rule = head+" of "+name+"'s |", rule+"--:|"
	}
	fmt.Fprintf(b, "%s\n%s\n", head, rule)
	for _, row := range r.Rows {
		unit := "MiB"
		switch m {
		case Speed:
			unit = string(row.Unit)
		case CPU:
			unit = row.perUnit()
		}
		fmt.Fprintf(b, "| %s | %s |", row.Title, unit)
		for _, name := range peers {
			text := row.shown(name, m)
			if seen, _, missed := strings.Cut(text, " ("); missed { // files that were gone before they could be counted
				text = seen + " or more"
			}
			fmt.Fprintf(b, " %s |", text)
		}
		for _, name := range peers[1:] {
			ratio := row.ratio(m, name)
			if value, ok := row.Ratio(m, name); ok && m == Speed && value < 1 {
				ratio = "**" + ratio + "**"
			}
			fmt.Fprintf(b, " %s |", ratio)
		}
		b.WriteString("\n")
	}
}

// WriteSummary writes a few lines for readers who only want to know whether Holdfast is fast.
func (r *Report) WriteSummary(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| | Holdfast | tusd | | direct to the store | |\n|---|--:|--:|--:|--:|--:|\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s, %s | %s | %s | %s | %s | %s |\n", row.Title, row.Unit, row.shown(Holdfast, Speed),
			row.shown(Tusd, Speed),
			row.ratio(Speed, Tusd), row.shown(Direct, Speed), row.ratio(Speed, Direct))
	}
	fmt.Fprintf(&b, "\nMeasured on %s, on %d cores that client, server and store share; medians of %d round(s); %s.\n",
		r.Date, r.Machine.Cores, r.Rounds, r.others())
	_, err := io.WriteString(w, b.String())
	return err
}

// Behind returns the names of the rows in which another peer is faster, or a target is missed.
func (r *Report) Behind() (names []string) {
	for _, row := range r.Rows {
		behind := slices.ContainsFunc(r.Targets, func(o Outcome) bool { return o.Row == row.Name && !o.Reached })
		for _, p := range row.Peers {
			ratio, ok := row.Ratio(Speed, p.Name)
			behind = behind || ok && ratio < 1
		}
		if behind {
			names = append(names, row.Name)
		}
	}
	return names
}

// WriteBehind writes in which rows another peer is faster, or a target is missed.
func (r *Report) WriteBehind(w io.Writer) error {
	var b strings.Builder
	for _, row := range r.Rows {
		for _, p := range row.Peers {
			if ratio, ok := row.Ratio(Speed, p.Name); ok && ratio < 1 {
				fmt.Fprintf(&b, "- `%s`, %s: %.2f of the speed of %s\n", row.Name, row.Title, ratio, p.Name)
			}
		}
	}
	for _, o := range r.Targets {
		if !o.Reached {
			fmt.Fprintf(&b, "- `%s`, target missed: %s\n", o.Row, o.asked())
		}
	}
	if b.Len() == 0 {
		b.WriteString("Nowhere in this run.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sumOf returns the number of calls of all kinds.
func sumOf(calls map[string]float64) string {
	sum := 0.0
	for _, n := range calls {
		sum += n
	}
	return short(sum)
}

// others says how busy the machine was with other processes.
func (r *Report) others() string {
	return fmt.Sprintf("other programs had %.0f %% of the processors meanwhile", 100*r.Others())
}
