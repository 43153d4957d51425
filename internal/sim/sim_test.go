package sim

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast/db"
)

func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1) // so that a seed does the same again
	os.Exit(m.Run())
}

func template(t *testing.T) *db.Template {
	made, err := db.NewTemplate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// number returns a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestSeeds runs 2,000 seeds, or SEEDS of them, from FIRST on. It stops at the first failure.
func TestSeeds(t *testing.T) {
	made := template(t)
	first, seeds := number(t, "FIRST", 0), number(t, "SEEDS", 2000)
	if testing.Short() {
		seeds = 100
	}
	for seed := first; seed < first+seeds; seed++ {
		plan := NewPlan(uint64(seed))
		run := func(p Plan) Result { return Run(t, made, p) }
		if r := run(plan); len(r.Failures) > 0 {
			shortest, r := Shrink(plan, r, run)
			t.Fatalf("Seed %d fails (FIRST=%[1]d SEEDS=1). The shortest schedule that still does:\n%s", seed,
				Report(shortest, r))
		}
	}
}

// TestSeedsDoSomething checks that enough happens in the simulation for something to go wrong.
func TestSeedsDoSomething(t *testing.T) {
	made := template(t)
	all := Result{Seen: map[string]int{}}
	for seed := range 60 {
		r := Run(t, made, NewPlan(uint64(seed)))
		all.Files, all.Deleted = all.Files+r.Files, all.Deleted+r.Deleted
		all.Faults = append(all.Faults, r.Faults...)
		for what, n := range r.Seen {
			all.Seen[what] += n
		}
	}
	for _, what := range []string{"104 with an offset", "a final answer again", "a request that overtakes another",
		"a direct upload", "an old URL of a part", "two completions at once", "a completion beside the end",
		"a completion that goes on"} {
		if all.Seen[what] < 3 {
			t.Errorf("%s: %d times", what, all.Seen[what])
		}
	}
	if all.Files < 100 || all.Deleted < 10 {
		t.Errorf("%d files and %d deleted uploads", all.Files, all.Deleted)
	}
	for _, what := range []string{"is refused", "loses its answer", "and is done", "is slow", "sql Commit", "store Put"} {
		if !slices.ContainsFunc(all.Faults, func(f string) bool { return strings.Contains(f, what) }) {
			t.Errorf("nothing %q among %d faults", what, len(all.Faults))
		}
	}
}

// TestSeedRepeats checks that a seed does the same again.
func TestSeedRepeats(t *testing.T) {
	made := template(t)
	same := 0
	for seed := range 20 {
		p := NewPlan(uint64(seed))
		a, b := Run(t, made, p), Run(t, made, p)
		if fmt.Sprint(a) == fmt.Sprint(b) {
			same++
		}
	}
	if same < 15 { // the Go scheduler decides the order within an instant
		t.Errorf("only %d of 20 seeds did the same again", same)
	}
}

// TestShrink checks that Shrink leaves only the essential parts of a plan.
func TestShrink(t *testing.T) {
	p := NewPlan(3)
	p.Clients = append(p.Clients, Client{Name: "culprit", Steps: []Step{{Kind: Head}, {Kind: Delete}}})
	fails := func(p Plan) (r Result) {
		r.Faults = []string{"  1.5s  sql Commit x #1 fails"}
		for _, c := range p.Clients {
			if slices.ContainsFunc(c.Steps, func(s Step) bool { return c.Name == "culprit" && s.Kind == Delete }) {
				r.Failures = []string{"it is gone"}
			}
		}
		return r
	}
	got, r := Shrink(p, fails(p), fails)
	if len(got.Clients) != 1 || len(got.Clients[0].Steps) != 1 || len(got.Deaths) != 0 || len(r.Failures) != 1 ||
		!got.Spared["sql Commit x #1 fails"] {
		t.Errorf("%s", Report(got, r))
	}
}
