package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/bench/report"
)

func TestChoose(t *testing.T) {
	for list, want := range map[string][]string{"": names(rows), "head,stream": {"stream", "head"}, "post": {"post"}} {
		got, err := choose(list)
		if err != nil || !slices.Equal(names(got), want) {
			t.Errorf("%q: %v, %v", list, names(got), err)
		}
	}
	for _, list := range []string{"nothing", "stream,", "stream, head"} {
		if _, err := choose(list); err == nil {
			t.Errorf("%q was taken", list)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 7: "7 B", 10 << 10: "10 KiB", 1 << 20: "1 MiB",
		1<<30 - 1: "1024 MiB", 1 << 30: "1 GiB",
		(1 << 30) / 10: "102.4 MiB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %s", bytes, got)
		}
	}
}

// Every row has a name of its own and a description; Holdfast takes part in it; every target belongs to a row.
func TestRows(t *testing.T) {
	full := fullLoad()
	seen := map[string]bool{}
	for _, r := range rows {
		if r.name == "" || seen[r.name] || r.title(full) == "" || r.operation(full) == "" || r.do == nil {
			t.Errorf("row %q", r.name)
		}
		if !slices.Contains(r.peers, report.Holdfast) {
			t.Errorf("row %s without Holdfast", r.name)
		}
		if short := r.title(full.tenth()); short == r.title(full) && r.unit == report.Megabytes {
			t.Errorf("a short run claims %q", short)
		}
		seen[r.name] = true
	}
	for _, target := range targets {
		if !seen[target.Row] {
			t.Errorf("a target for %q", target.Row)
		}
	}
	if got := rows[0].title(full); got != "1 GiB in one stream" {
		t.Error(got)
	}
}

func TestLoads(t *testing.T) {
	if short := fullLoad().tenth(); short.stream != (1<<30)/10 || short.lasting != 500*time.Millisecond {
		t.Errorf("%+v", short)
	}
	if few := fullLoad().counted(); few.connections != 1 || few.requests == 0 {
		t.Errorf("%+v", few)
	}
}

func TestParse(t *testing.T) {
	o, chosen, err := parse([]string{"-short", "-rounds", "9", "-only", "post"}, io.Discard)
	if err != nil || o.rounds != 1 || len(chosen) != 1 || o.holdfast != ".." {
		t.Error(o, err)
	}
	for _, args := range [][]string{{"-rounds", "0"}, {"-rounds", "101"}, {"-only", "x"}, {"more"}, {"-unknown"},
		{"-docs", "-short"}, {"-docs", "-only", "post"}, {"-store", "tape"}, {"-store", onDisk, "-others"}} {
		if _, _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

// Each kind of run has a table of its own. Where servers keep files themselves there is nothing to put directly.
func TestTable(t *testing.T) {
	for want, args := range map[string][]string{mainTable: nil, othersTable: {"-others"},
		onSeaweedFS: {"-store", onSeaweedFS}, onDisk: {"-store", onDisk}} {
		o, chosen, err := parse(args, io.Discard)
		if err != nil || o.table() != want {
			t.Errorf("%v: %s, %v", args, o.table(), err)
		}
		if direct := slices.Contains(allPeers(chosen), report.Direct); direct == (want == onDisk) {
			t.Errorf("%s: direct %v", want, direct)
		}
	}
	if len(targetsOf(onDisk)) > 0 || len(targetsOf(mainTable)) == 0 {
		t.Error("targets are for the main table")
	}
}

// With -others two more peers take part, and their packages are pinned: a run can be repeated.
func TestOthers(t *testing.T) {
	_, chosen, err := parse([]string{"-others", "-only", "stream,patch1,ranges"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{report.Node, report.Python}, {report.Node}, {report.Python}} {
		for _, name := range []string{report.Node, report.Python} {
			if slices.Contains(chosen[i].peers, name) != slices.Contains(want, name) {
				t.Errorf("%s: %v", chosen[i].name, chosen[i].peers)
			}
		}
	}
	for _, r := range rows {
		if slices.Contains(r.peers, report.Node) || slices.Contains(r.peers, report.Python) {
			t.Errorf("%s: they take part without -others", r.name)
		}
	}
	text, err := os.ReadFile("peers/python/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "==") {
			t.Errorf("not pinned: %s", line)
		}
	}
	text, err = os.ReadFile("peers/node/package.json")
	if err != nil || strings.ContainsAny(string(text), "^~*") {
		t.Errorf("not pinned: %s %v", text, err)
	}
}
