package report

import "fmt"

// Target is a result that Holdfast should reach in a row.
type Target struct {
	Row    string  `json:"row"`
	Metric Metric  `json:"metric"`
	Beside string  `json:"beside"` // the peer that it is compared with; empty: the number itself
	AtMost bool    `json:"at_most"`
	Value  float64 `json:"value"`
}

// Outcome is a target and the result.
type Outcome struct {
	Target
	Title   string  `json:"title"`
	Got     float64 `json:"got"`
	Reached bool    `json:"reached"`
}

// judge compares a target with the result; false if the target was not measured.
func (r *Report) judge(t Target) (Outcome, bool) {
	for _, row := range r.Rows {
		if row.Name != t.Row {
			continue
		}
		o := Outcome{Target: t, Title: row.Title}
		measured := false
		if t.Beside != "" {
			o.Got, measured = row.Ratio(t.Metric, t.Beside)
		} else if p := row.Peer(Holdfast); p != nil && len(p.Rounds) > 0 {
			o.Got, measured = p.Median[t.Metric], true
		}
		o.Reached = o.Got >= t.Value
		if t.AtMost {
			o.Reached = o.Got <= t.Value
		}
		if t.Metric == TempBytes {
			// A missed file may have had any length, and the median might hide one.
			for _, m := range row.Peer(Holdfast).Rounds {
				o.Reached = o.Reached && m.Temp.Bytes == 0 && m.Temp.Missed == 0
			}
		}
		return o, measured
	}
	return Outcome{}, false
}

// String describes the outcome in one line.
func (o Outcome) String() string {
	word := "NOT REACHED"
	if o.Reached {
		word = "reached"
	}
	return fmt.Sprintf("%-11s  %s, %s", word, o.Title, o.asked())
}

// asked writes the result and, in brackets, the target.
func (o Outcome) asked() string {
	sign, times := ">=", ""
	if o.AtMost {
		sign = "<="
	}
	what := string(o.Metric)
	if o.Beside != "" {
		what, times = what+" beside "+o.Beside, "x"
	}
	return fmt.Sprintf("%s: %.2f%s (%s %g%s)", what, o.Got, times, sign, o.Value, times)
}
