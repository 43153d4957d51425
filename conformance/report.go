package main

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
)

// report is the result of a run.
type report struct {
	URL, Date string
	Results   []Result
}

// Count counts the outcomes of one version.
type Count struct {
	Protocol                                                string
	Passed, FailedMust, FailedShould, FailedMay, NotOffered int
}

// broken reports whether a MUST failed.
func (rep report) broken() bool {
	for _, r := range rep.Results {
		if r.Outcome == Failed && r.Case.Level == Must {
			return true
		}
	}
	return false
}

// Counts returns the counts of all versions, in the order of the run.
func (rep report) Counts() (all []Count) {
	for _, r := range rep.Results {
		if len(all) == 0 || all[len(all)-1].Protocol != r.Protocol() {
			all = append(all, Count{Protocol: r.Protocol()})
		}
		c := &all[len(all)-1]
		switch {
		case r.Outcome == Passed:
			c.Passed++
		case r.Outcome == NotOffered:
			c.NotOffered++
		case r.Case.Level == Must:
			c.FailedMust++
		case r.Case.Level == Should:
			c.FailedShould++
		default:
			c.FailedMay++
		}
	}
	return all
}

// print writes the report as text, by version and section: failures, or every case.
func (rep report) print(to io.Writer, verbose bool) {
	title := ""
	for _, r := range rep.Results {
		if !verbose && r.Outcome != Failed {
			continue
		}
		if t := r.Protocol() + ": " + r.Case.Section; t != title {
			title = t
			fmt.Fprintf(to, "\n%s\n", title)
		}
		fmt.Fprintf(to, "  %-11s  %-6s  %s: %s\n", r.Outcome, r.Case.Level, r.Case.ID, r.Case.Asks)
		if r.Why != "" {
			fmt.Fprintf(to, "               %s\n", r.Why)
		}
	}
	fmt.Fprintf(to, "\n%-24s %7s %12s %14s %11s %12s\n", "", "passed", "MUST failed", "SHOULD failed", "MAY not so",
		"not offered")
	for _, c := range rep.Counts() {
		fmt.Fprintf(to, "%-24s %7d %12d %14d %11d %12d\n", c.Protocol, c.Passed, c.FailedMust, c.FailedShould, c.FailedMay,
			c.NotOffered)
	}
}

// junit writes the report in the JUnit format, as CI servers read it. Only a violated MUST counts as a failure there;
// other deviations are in the case's output.
func (rep report) junit(to io.Writer) error {
	type message struct {
		Text string `xml:"message,attr"`
	}
	type test struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Failure *message `xml:"failure"`
		Skipped *message `xml:"skipped"`
		Out     string   `xml:"system-out,omitempty"`
	}
	type suite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Cases    []test   `xml:"testcase"`
	}
	s := suite{Name: "conformance " + rep.URL, Tests: len(rep.Results)}
	for _, r := range rep.Results {
		t := test{Name: r.Case.ID, Class: r.Protocol()}
		switch {
		case r.Outcome == NotOffered:
			t.Skipped = &message{r.Why}
			s.Skipped++
		case r.Outcome == Failed && r.Case.Level == Must:
			t.Failure = &message{r.Why}
			s.Failures++
		case r.Outcome == Failed:
			t.Out = string(r.Case.Level) + ": " + r.Why
		}
		s.Cases = append(s.Cases, t)
	}
	if _, err := io.WriteString(to, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(to)
	e.Indent("", "  ")
	return e.Encode(s)
}

// html writes the report as one self-contained page.
func (rep report) html(to io.Writer) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(to, rep)
}

const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Resumable uploads: {{.URL}}</title>
<meta name="viewport" content="width=device-width">
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 2rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem; border-bottom: 1px solid #ddd }
td.n { text-align: right } .passed { color: #060 } .failed { color: #a00; font-weight: bold } .not { color: #666 }
small { color: #666; overflow-wrap: anywhere }
</style></head><body>
<h1>Resumable uploads: {{.URL}}</h1>
<p>{{.Date}}</p>
<table><tr><th>protocol</th><th>passed</th><th>MUST failed</th>
<th>SHOULD failed</th><th>MAY not so</th><th>not offered</th></tr>
{{range .Counts}}<tr><td>{{.Protocol}}</td><td class="n">{{.Passed}}</td><td class="n">{{.FailedMust}}</td>
<td class="n">{{.FailedShould}}</td><td class="n">{{.FailedMay}}</td><td class="n">{{.NotOffered}}</td></tr>
{{end}}</table>
<table><tr><th>protocol</th><th>section</th><th>case</th><th>level</th><th></th><th>what is asked</th></tr>
{{range .Results}}<tr><td>{{.Protocol}}</td><td>{{.Case.Section}}</td><td>{{.Case.ID}}</td><td>{{.Case.Level}}</td>
<td class="{{.Outcome}}">{{.Outcome}}</td><td>{{.Case.Asks}}{{if .Why}}<br><small>{{.Why}}</small>{{end}}</td></tr>
{{end}}</table></body></html>
`
