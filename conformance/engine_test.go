package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reply is the answer of a test's server to everything.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a reply) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	w.Write([]byte(a.body))
}

const mismatch = `{"type":"https://iana.org/assignments/http-problem-types#mismatching-upload-offset",` +
	`"expected-offset":5}`

// Each kind of check passes on a correct server, and fails on a wrong one.
func TestChecks(t *testing.T) {
	h := func(name, value string) http.Header { return http.Header{name: {value}} }
	for name, c := range map[string]struct {
		check        Check
		right, wrong reply
	}{
		"status": {status(204), reply{status: 204}, reply{status: 200}},
		"class":  {class(2), reply{status: 201}, reply{status: 404}},
		"field":  {field("A", "{offset}"), reply{200, h("A", "0"), ""}, reply{200, h("A", "1"), ""}},
		"has":    {has("A"), reply{200, h("A", "0"), ""}, reply{status: 200}},
		"hasNot": {hasNot("A"), reply{status: 200}, reply{200, h("A", "0"), ""}},
		"lists":  {lists("A", "x"), reply{200, h("A", "y, X"), ""}, reply{200, h("A", "xy"), ""}},
		"date": {date("A"), reply{200, h("A", "Sun, 06 Nov 1994 08:49:37 GMT"), ""}, reply{200, h("A", "1994-11-06"),
			""}},
		"offset":    {offset(1, 5), reply{200, h("Upload-Offset", "5"), ""}, reply{200, h("Upload-Offset", "6"), ""}},
		"no offset": {offset(0, 0), reply{200, h("Upload-Offset", "0"), ""}, reply{status: 200}},
		"complete":  {complete(true), reply{200, h("Upload-Complete", "?1"), ""}, reply{200, h("Upload-Complete", "?0"), ""}},
		"holds":     {holds(3), reply{200, nil, "012"}, reply{200, nil, "0123"}},
		"redirect":  {notRedirected(), reply{status: 307}, reply{status: 302}},
		"problem": {problem("mismatching-upload-offset", "expected-offset"), reply{409, nil, mismatch},
			reply{409, nil, strings.Replace(mismatch, "expected", "x", 1)}},
		"problem type": {problem("mismatching-upload-offset"), reply{409, nil, mismatch}, reply{409, nil, `{"type":"x"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			for server, want := range map[*reply]Outcome{&c.right: Passed, &c.wrong: Failed} {
				if got := try(t, server, "8", Step{Method: "GET", Want: []Check{c.check}}); got.Outcome != want {
					t.Errorf("%+v: %s (%s), want %s", *server, got.Outcome, got.Why, want)
				}
			}
		})
	}
}

// try runs steps against a server.
func try(t *testing.T, server http.Handler, version string, steps ...Step) Result {
	t.Helper()
	s := httptest.NewServer(server)
	defer s.Close()
	set, err := parse([]string{s.URL}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	return set.run(t.Context(), Case{Steps: steps}, version)
}

// Interim answers are seen, also while the body waits for one, and each check of them fails on a wrong server.
func TestInterimAnswers(t *testing.T) {
	silent := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) })
	speaks := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/a")
		w.WriteHeader(104)
		w.Header().Set("Location", "/b")
		w.WriteHeader(201)
	})
	for name, c := range map[string]struct {
		check      Check
		good, poor http.Handler
	}{
		"interim":     {interim("Location"), speaks, silent},
		"no interim":  {noInterim(), silent, speaks},
		"each":        {eachInterim(has("Location")), speaks, speaks2("A")},
		"each not":    {eachInterim(hasNot("Location")), speaks2("A"), speaks},
		"located":     {eachLocated(hasNot("A")), speaks, nil},
		"not located": {eachLocated(has("Upload-Limit")), silent, speaks},
		"location":    {oneLocation(), silent, speaks},
	} {
		step := draftCreate(true, Body{To: 10, Wait: name != "no interim"}).want(c.check)
		if got := try(t, c.good, "8", step); got.Outcome != Passed {
			t.Errorf("%s: %+v", name, got.Why)
		}
		if c.poor != nil && try(t, c.poor, "8", step).Outcome != Failed {
			t.Errorf("%s: passed on a server that does wrong", name)
		}
	}
}

func speaks2(field string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(field, "1")
		w.WriteHeader(104)
		w.WriteHeader(201)
	})
}

// A missing feature is reported and counted separately from a wrong answer.
func TestCommand(t *testing.T) {
	tus := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Tus-Version", "1.0.0")
		w.WriteHeader(204)
	})
	bare := http.NotFoundHandler()
	folder := t.TempDir()
	junit, html := filepath.Join(folder, "a.xml"), filepath.Join(folder, "a.html")
	for name, c := range map[string]struct {
		server http.Handler
		args   []string
		status int
		says   string
	}{
		"not offered": {bare, nil, 0, "not offered"},
		"options": {tus, []string{"-versions", "tus", "-v", "-junit", junit, "-html", html}, 0,
			"passed       MUST    tus.options"},
		"wrong": {reply{status: 500, header: http.Header{"Tus-Version": {"1.0.0"}}}, []string{"-versions", "tus"}, 1,
			"status 500"},
		"no access": {reply{status: 401}, nil, 1, "answers 401"},
		"a version": {bare, []string{"-versions", "2"}, 2, "none of"},
		"a case":    {bare, []string{"-only", "x"}, 2, "no case"},
		"a header":  {bare, []string{"-header", "x"}, 2, "no header field"},
		"an option": {bare, []string{"-x"}, 2, "not defined"},
	} {
		s := httptest.NewServer(c.server)
		var out bytes.Buffer
		if got := command(t.Context(), append(c.args, s.URL), &out, &out); got != c.status || !strings.Contains(out.String(),
			c.says) {
			t.Errorf("%s: status %d: %s", name, got, out.String())
		}
		s.Close()
	}
	for path, want := range map[string]string{junit: `<testcase name="tus.options"`, html: "<td>tus.options</td>"} {
		if got, err := os.ReadFile(path); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v", got, err)
		}
	}
	if got := command(t.Context(), []string{"ftp://x"}, &bytes.Buffer{}, &bytes.Buffer{}); got != 2 {
		t.Errorf("a URL that is not HTTP: %d", got)
	}
}

// Created uploads are deleted, and credentials are sent to no other host.
func TestBounds(t *testing.T) {
	deleted := make(chan string, 9)
	elsewhere := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" {
			deleted <- r.URL.Path
		}
		w.Header().Set("Location", elsewhere+"/made")
		w.WriteHeader(201)
	}))
	defer s.Close()
	set, err := parse([]string{s.URL}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	set.extensions = []string{"creation"}
	if got := set.run(t.Context(), Case{Steps: []Step{tusCreate("10")}}, "tus"); got.Outcome != Passed ||
		<-deleted != "/made" {
		t.Errorf("%+v", got)
	}
	elsewhere = "http://another.example"
	if got := set.run(t.Context(), Case{Steps: []Step{tusCreate("10"), head()}}, "tus"); !strings.Contains(got.Why,
		"another host") {
		t.Errorf("%+v", got)
	}
	set.max = 5
	if got := set.run(t.Context(), Case{Steps: []Step{draftCreate(true, Body{To: 6})}}, "8"); got.Outcome != NotOffered {
		t.Errorf("above -max: %+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := set.run(ctx, Case{Steps: []Step{head()}}, "8"); got.Outcome != Failed {
		t.Errorf("%+v", got)
	}
}

// A step with retries is repeated, but not forever; one without is not.
func TestRetry(t *testing.T) {
	for retry, want := range map[int]Outcome{0: Failed, 1: Passed} {
		asked := 0
		late := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(map[bool]int{true: 409, false: 204}[asked < 3])
		})
		if got := try(t, late, "8", Step{Method: "GET", Want: []Check{status(204)}, Retry: retry}); got.Outcome != want {
			t.Errorf("retry %d: %+v", retry, got)
		}
	}
	if got := try(t, reply{status: 409}, "8", Step{Method: "GET", Want: []Check{status(204)},
		Retry: 1}); got.Outcome != Failed {
		t.Errorf("a server that never does: %+v", got)
	}
}

// A cut body reaches the server up to the cut, and a held connection stays open until the case ends.
func TestCutAndHold(t *testing.T) {
	for _, hold := range []bool{false, true} {
		got := make(chan int, 1)
		s := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "DELETE" {
				return
			}
			w.Header().Set("Location", "/a")
			w.WriteHeader(104)
			b, err := io.ReadAll(r.Body)
			if err == nil {
				t.Error("the body was whole")
			}
			got <- len(b)
		})
		step := draftCreate(true, Body{To: 60000, Wait: true, Cut: 30000, Hold: hold}).needs("Location")
		if r := try(t, s, "8", step); r.Outcome != Passed {
			t.Errorf("%+v", r)
		}
		if n := <-got; n != 30000 {
			t.Errorf("%d bytes came", n)
		}
	}
}

// The wait for a silent server ends, and an answer that is not HTTP is reported.
func TestSilentServer(t *testing.T) {
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer s.Close()
	defer close(over)
	set, err := parse([]string{s.URL}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	set.wire.patience = 100 * time.Millisecond
	ended := make(chan Result, 1)
	go func() {
		ended <- set.run(context.Background(), Case{Steps: []Step{draftCreate(true, Body{To: 5})}}, "8")
	}()
	select {
	case got := <-ended:
		if got.Outcome != Failed || !strings.Contains(got.Why, "timeout") {
			t.Errorf("%+v", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits without end")
	}
}

// In the JUnit report a violated MUST is a failure, and a violated SHOULD is not.
func TestReportOfFailures(t *testing.T) {
	rep := report{Results: []Result{
		{Case{ID: "m", Level: Must}, "tus", Failed, "why <m>"}, {Case{ID: "s", Level: Should}, "tus", Failed, "why s"},
		{Case{ID: "n", Level: Must}, "8", NotOffered, "no"}}}
	var xml, html bytes.Buffer
	if err := errors.Join(rep.junit(&xml), rep.html(&html)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`tests="3" failures="1" skipped="1"`, `<failure message="why &lt;m&gt;">`,
		"SHOULD: why s"} {
		if !strings.Contains(xml.String(), want) {
			t.Errorf("no %s in %s", want, xml.String())
		}
	}
	if !strings.Contains(html.String(), "why &lt;m&gt;") || !rep.broken() {
		t.Errorf("%s", html.String())
	}
	rep.Results = rep.Results[1:]
	if rep.broken() {
		t.Error("a SHOULD breaks the run")
	}
}

// Every case has what a report needs, and names are unique.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.ID] || c.Section == "" || c.Asks == "" || len(c.Steps) == 0 || len(c.Versions) == 0 {
			t.Errorf("%+v", c)
		}
		seen[c.ID] = true
	}
}
