package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteBounds writes, for each row in which Holdfast is behind, who uses the processors, and what could be reached at
// best: the ratio of speed if only the processors were the limit, and if Holdfast's server also took nothing of them.
func (r *Report) WriteBounds(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| | | Holdfast + store + client | busy | beside | speed | by processor time | at best |\n" +
		"|---|---|--:|--:|---|--:|--:|--:|\n")
	for _, name := range r.Behind() {
		row := r.row(name)
		for _, p := range row.Peers {
			if !r.lags(row, p.Name) {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %.0f %% | %s | %s | %s | %s |\n", row.Name, row.perUnit(), row.allCPU(Holdfast),
				100*r.busy(row), p.Name, row.ratio(Speed, p.Name), row.sumRatio(p.Name), row.bestRatio(p.Name))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// row returns the row of that name; nil if there is none.
func (r *Report) row(name string) *Row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return nil
}

// lags reports whether Holdfast is slower than a peer in a row, or misses a target beside it.
func (r *Report) lags(row *Row, beside string) bool {
	for _, o := range r.Targets {
		if o.Row == row.Name && o.Beside == beside && !o.Reached {
			return true
		}
	}
	ratio, ok := row.Ratio(Speed, beside)
	return ok && ratio < 1
}

// busy is the share of the processors that Holdfast, the store and the client used in a row.
func (r *Report) busy(row *Row) float64 {
	var shares []float64
	for _, m := range row.Peer(Holdfast).Rounds {
		shares = append(shares, per(m.CPU.Server+m.CPU.Store+m.CPU.Client, m.Seconds*float64(r.Machine.Cores)))
	}
	return Median(shares)
}

// bestRatio is the ratio of speed beside a peer if only the processors were the limit, and Holdfast's server took
// nothing of them.
func (r *Row) bestRatio(beside string) string {
	ours := r.Peer(Holdfast)
	least := ours.Median[StoreCPU] + ours.Median[ClientCPU]
	if least == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fx", r.sumCPU(beside)/least)
}
