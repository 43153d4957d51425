package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mostRuns is the largest number of runs for shrinking a plan.
const mostRuns = 200

// Shrink returns the shortest plan that it finds and that still fails, and its result: it leaves out clients, deaths,
// faults, steps and cuts, one after the other, as long as fails reports a failure.
func Shrink(p Plan, r Result, fails func(Plan) Result) (Plan, Result) {
	for runs := 0; runs < mostRuns; {
		shorter := false
		for _, q := range shorten(p, r) {
			if runs++; runs > mostRuns {
				break
			}
			if got := fails(q); len(got.Failures) > 0 {
				p, r, shorter = q, got, true
				break
			}
		}
		if !shorter {
			break
		}
	}
	return p, r
}

// shorten returns plans that are a little shorter than p, the shortest first.
func shorten(p Plan, r Result) (all []Plan) {
	for i := range p.Clients {
		q := p
		q.Clients = slices.Delete(slices.Clone(p.Clients), i, i+1)
		all = append(all, q)
	}
	for i := range p.Deaths {
		q := p
		q.Deaths = slices.Delete(slices.Clone(p.Deaths), i, i+1)
		all = append(all, q)
	}
	// The faults that have happened: all, halves, and each.
	names := slices.DeleteFunc(faultNames(r), func(name string) bool { return p.Spared[name] })
	for size := len(names); size > 0; size /= 2 {
		for chunk := range slices.Chunk(names, size) {
			all = append(all, p.spare(chunk))
		}
	}
	for i, c := range p.Clients {
		for j := range c.Steps {
			q := p
			q.Clients = slices.Clone(p.Clients)
			q.Clients[i].Steps = slices.Delete(slices.Clone(c.Steps), j, j+1)
			all = append(all, q)
		}
	}
	return all
}

// spare returns p without some faults.
func (p Plan) spare(names []string) Plan {
	spared := map[string]bool{}
	for name := range p.Spared {
		spared[name] = true
	}
	for _, name := range names {
		spared[name] = true
	}
	p.Spared = spared
	return p
}

// when matches the time of a fault.
var when = regexp.MustCompile(`^ *\S+  `)

func faultNames(r Result) (names []string) {
	for _, f := range r.Faults {
		names = append(names, when.ReplaceAllString(f, ""))
	}
	return names
}

// Report describes a failure to a developer whose change has caused it.
func Report(p Plan, r Result) string {
	return fmt.Sprintf("%s  faults:\n    %s\n  so that:\n    %s\n", p, strings.Join(r.Faults, "\n    "),
		strings.Join(r.Failures, "\n    "))
}
