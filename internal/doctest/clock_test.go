package doctest

import (
	"bytes"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/test/holdfasttest"
)

// sleeps are the files whose tests sleep, and why they can't wait for a condition. Tests wait for a row, a line of a
// log, a metric or an answer, or have a virtual clock (testing/synctest): a busy machine makes them slower, but they
// don't fail. Each sleep that is left is a minimum time, after which nothing must have happened.
var sleeps = map[string]string{
	"db/idempotency_test.go":               "the database's clock, which counts milliseconds, has to go on",
	"internal/e2e/events_test.go":          "between two tries",
	"internal/e2e/faults_test.go":          "a time-out has to pass that must not strike",
	"internal/e2e/kill_test.go":            "the program is killed at any moment",
	"internal/e2e/lines_test.go":           "between two tries",
	"internal/e2e/replicas_killed_test.go": "a replica is killed at any moment",
	"internal/e2e/rolling_test.go":         "a line that is slow",
	"internal/e2e/slow_client_test.go":     "a client pauses, and a time-out has to pass that must not strike",
	"internal/mutants/try_test.go":         "a test that hangs is what is tried",
	"storage/s3/proxy_test.go":             "a store that is slow",
}

// sleeping counts sleeps, except for the pauses between two checks of a condition.
func sleeping(source []byte) (n int) {
	if bytes.Contains(source, []byte(`"testing/synctest"`)) {
		return 0
	}
	for line := range bytes.Lines(source) {
		if bytes.Contains(line, []byte("time.Sleep(")) && !poll.Match(line) {
			n++
		}
	}
	return n
}

// poll matches `for end := ...; !done(); time.Sleep(pause) {`, or a line with a comment that says so.
var poll = regexp.MustCompile(`^\s*for .*;.*; time\.Sleep\(.*\{|time\.Sleep\(.*// until `)

func TestSleeps(t *testing.T) {
	found := map[string]bool{}
	eachSource(t, "_test.go", func(path, text string) {
		if sleeping([]byte(text)) > 0 {
			found[path] = true
		}
	})
	for name := range found {
		if sleeps[name] == "" && name != "internal/doctest/clock_test.go" {
			t.Errorf("a test in %s sleeps: let it wait for a condition", name)
		}
	}
	for name := range sleeps {
		if !found[name] {
			t.Errorf("nothing sleeps in %s any more", name)
		}
	}
}

func TestSleepsAreFound(t *testing.T) {
	for source, want := range map[string]int{
		"\ttime.Sleep(time.Second)\n":                                                   1,
		"\tfor end := time.Now(); !done(); time.Sleep(time.Millisecond) {\n":            0,
		"\tfor end := time.Now(); ; time.Sleep(time.Millisecond) {\n":                   0,
		"\t\ttime.Sleep(time.Millisecond) // until it was read\n":                       0,
		"import \"testing/synctest\"\n\ttime.Sleep(time.Hour)\n":                        0,
		"\ttime.Sleep(time.Second) // it is there by then\n\ttime.Sleep(time.Minute)\n": 2,
	} {
		if got := sleeping([]byte(source)); got != want {
			t.Errorf("%q: %d, want %d", source, got, want)
		}
	}
}

// A time that is kept as a number of seconds has lost Go's monotonic clock: where the computer's is set back by an
// hour, a pause of a second takes an hour.
func TestPausesByTheMonotonicClock(t *testing.T) {
	wall := regexp.MustCompile(`time\.Now\(\)(\.Add\([^()]*\))?\.Unix`)
	eachSource(t, ".go", func(path, text string) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "bench/") {
			return
		}
		if found := wall.FindString(text); found != "" {
			t.Errorf("%s: %s: keep a time.Time", path, found)
		}
	})
}

// The packages that scripts/race.sh leaves without the race detector start no goroutines in the test's process, or
// are tested as a started program.
func TestWithoutRaceDetector(t *testing.T) {
	m := regexp.MustCompile(`(?m)^plain='(.*)'$`).FindStringSubmatch(read(t, "scripts/race.sh"))
	if m == nil {
		t.Fatal("race.sh does not say what is left out")
	}
	out := regexp.MustCompile(`^holdfast/(` + m[1] + `)$`)
	starts := regexp.MustCompile(`(?m)^\s*go [\w(]|\.Go\(`)
	// mutants is a program; some seeds of sim run once more, with the race detector.
	programs := []string{"holdfast/internal/mutants", "holdfast/internal/sim"}
	seeds := regexp.MustCompile(`go test .*"\$\{race\[@\]\}" .*-run 'TestSeeds\$' \./internal/sim `)
	if !seeds.MatchString(read(t, "scripts/test-go.sh")) {
		t.Error("no seed of internal/sim is run with the race detector")
	}
	if kind, value, _ := strings.Cut(holdfasttest.RaceSettings, "="); !strings.Contains(read(t, "scripts/race.sh"),
		"\nexport "+kind+"=\""+value+"\"\n") {
		t.Errorf("scripts/race.sh has other settings of the race detector than holdfasttest: %s", holdfasttest.RaceSettings)
	}
	left := map[string]bool{}
	for _, p := range packages(t) {
		if !out.MatchString(p.ImportPath) {
			continue
		}
		left[p.ImportPath] = true
		for _, name := range p.GoFiles {
			path := filepath.Join(strings.TrimPrefix(p.ImportPath, "holdfast/"), name)
			if !slices.Contains(programs, p.ImportPath) && starts.MatchString(read(t, path)) {
				t.Errorf("%s starts goroutines, and its tests are run without the race detector", path)
			}
		}
	}
	if len(left) < 8 || !left["holdfast/internal/e2e"] {
		t.Errorf("left out are only %v", slices.Sorted(maps.Keys(left)))
	}
}
