package buildtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// needed returns the version that scripts/tools.sh requires, of "go" or "node".
func needed(t *testing.T, tool string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^need_` + tool + `=([\d.]+)$`).FindStringSubmatch(read(t, "scripts/tools.sh"))
	if m == nil {
		t.Fatalf("tools.sh does not say which %s is needed", tool)
	}
	return m[1]
}

type version [3]int

func parse(t *testing.T, text string) (v version) {
	t.Helper()
	for i, number := range strings.SplitN(text, ".", 3) {
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("version %q: %v", text, err)
		}
		v[i] = n
	}
	return v
}

var comparator = regexp.MustCompile(`^(>=|\^|)\s*(\d+(?:\.\d+){0,2})$`)

// fits reports whether a version is in a range, as npm reads it. It knows the parts of npm's syntax that packages use;
// the test fails for others.
func fits(t *testing.T, have version, ranges string) bool {
	t.Helper()
	for one := range strings.SplitSeq(ranges, "||") {
		m := comparator.FindStringSubmatch(strings.TrimSpace(one))
		if m == nil {
			t.Fatalf("range %q is not understood", ranges)
		}
		from := parse(t, m[2])
		if slices.Compare(have[:], from[:]) >= 0 && (m[1] == ">=" || have[0] == from[0]) {
			return true
		}
	}
	return false
}

func TestFits(t *testing.T) {
	for ranges, want := range map[string]bool{
		">=20": true, ">= 20.19.0": true, ">=22": false, "^22 || ^24 || >=26": false, "^20.19.0 || >=22.12.0": true,
		"^20.20.0 || >=22": false, "^18 || >=20": true, ">=20.19.1": false, "20": true, "18": false,
	} {
		if got := fits(t, version{20, 19, 0}, ranges); got != want {
			t.Errorf("20.19.0 in %q: %v", ranges, got)
		}
	}
}

// Every package of the page accepts the oldest Node that tools.sh allows: npm warns about others, and they may not
// work.
func TestPackagesFitNode(t *testing.T) {
	for _, folder := range []string{"clients/js", "web-example"} {
		var lock struct {
			Packages map[string]struct{ Engines struct{ Node string } }
		}
		if err := json.Unmarshal([]byte(read(t, folder+"/package-lock.json")), &lock); err != nil {
			t.Fatal(err)
		}
		node := needed(t, "node")
		if ours := lock.Packages[""].Engines.Node; ours != ">="+node {
			t.Errorf("package.json of %s asks for Node %s, tools.sh for %s", folder, ours, node)
		}
		said := 0
		for name, p := range lock.Packages {
			if p.Engines.Node == "" {
				continue
			}
			if said++; !fits(t, parse(t, node), p.Engines.Node) {
				t.Errorf("%s asks for Node %s, tools.sh for %s", name, p.Engines.Node, node)
			}
		}
		if said < 20 {
			t.Errorf("%s: %d packages say which Node they need", folder, said)
		}
	}
}

// README and go.mod name the versions that tools.sh requires.
func TestVersionsAreTold(t *testing.T) {
	goVersion, node := needed(t, "go"), needed(t, "node")
	for _, module := range []string{"", "bench/", "deploy/check/", "release/", "internal/test/s3server/",
		"internal/test/stores/minio/"} {
		if !regexp.MustCompile(`(?m)^go ` + regexp.QuoteMeta(goVersion) + `(\.\d+)?$`).MatchString(read(t, module+"go.mod")) {
			t.Errorf("%sgo.mod asks for another Go than %s", module, goVersion)
		}
	}
	if want := "On Linux with Go " + goVersion + " and Node " + node; !strings.Contains(read(t, "README.md"), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

// open makes a folder that other users may read.
func open(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "holdfast-build")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// machine returns a PATH with these programs only, and with fake ones that print the given texts.
func machine(t *testing.T, printed map[string]string) string {
	t.Helper()
	folder := open(t)
	for _, name := range []string{"bash", "cat", "dirname", "find", "head", "sed", "sort", "touch"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range printed {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// asks runs a script with that PATH; as another user if root runs the test.
func asks(t *testing.T, bin string, script ...string) (said string, status int) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.Open(script[0])
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	cmd := exec.Command(bash, append([]string{"-s", "--"}, script[1:]...)...)
	cmd.Stdin, cmd.Dir, cmd.Env = text, bin, []string{"PATH=" + bin, "HOME=" + bin}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// If nothing can be installed, the script says what is missing, and how to get it.
func TestNothingCanBeInstalled(t *testing.T) {
	deps := filepath.Join(root(t), "scripts", "deps.sh")
	const password = "Only root can install them, and sudo would ask for a password."
	missing := regexp.MustCompile(`(?m)^Missing for the tests: .*\brclone chromium chromium-headless-shell\b.* ffmpeg ` +
		`python3-venv gcc libc6-dev$`)
	command := regexp.MustCompile(`(?m)^    apt-get update && apt-get install --no-install-recommends .*\bchromium\b`)
	for name, c := range map[string]struct {
		printed map[string]string
		want    string
	}{
		"no apt":       {nil, "There is no apt-get here to install them."},
		"no sudo":      {map[string]string{"apt-get": "exit 1"}, password},
		"asks for one": {map[string]string{"apt-get": "exit 1", "sudo": "exit 1"}, password},
	} {
		said, status := asks(t, machine(t, c.printed), deps)
		if status != 1 || !strings.Contains(said, c.want) || !missing.MatchString(said) || !command.MatchString(said) {
			t.Errorf("%s: exit status %d\n%s", name, status, said)
		}
	}
}

// tools.sh says which of Go and Node is missing or too old.
func TestToolsAreMissing(t *testing.T) {
	script := read(t, "scripts/tools.sh")
	path := filepath.Join(t.TempDir(), "tools.sh")
	if err := os.WriteFile(path, []byte(strings.Replace(script, `cd "$(dirname "$0")/.."`, "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	goVersion, node := needed(t, "go"), needed(t, "node")
	for _, c := range []struct {
		tool    string
		printed map[string]string
		want    string
	}{
		{"go", nil, "Go is missing: install Go " + goVersion + " or newer"},
		{"go", map[string]string{"go": "echo go1.20.1"}, "Go is too old (go1.20.1): install Go " + goVersion},
		{"go", map[string]string{"go": "echo go" + goVersion}, ""},
		{"go", map[string]string{"go": "echo go1.100.3"}, ""},
		{"node", nil, "node is missing: install Node " + node + " or newer, with npm"},
		{"node", map[string]string{"node": "echo v" + node + ".0"}, "npm is missing: install Node " + node},
		{"node", map[string]string{"node": "echo v18.20.4", "npm": ""}, "Node is too old (v18.20.4): install Node " + node},
		{"node", map[string]string{"node": "echo v" + node + ".0", "npm": ""}, ""},
	} {
		said, status := asks(t, machine(t, c.printed), path, c.tool)
		if (status == 0) != (c.want == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s with %v: exit status %d\n%s", c.tool, c.printed, status, said)
		}
	}
}

// Each Go test program has more time than Go's ten minutes: a busy machine may need them.
func TestTimeLimit(t *testing.T) {
	for _, had := range []string{"", "-count=1", "-timeout=40m -trimpath"} {
		cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-s", "-f", "-", "show")
		cmd.Dir, cmd.Env = root(t), append(os.Environ(), "GOFLAGS="+had, "MAKEFLAGS=")
		cmd.Stdin = strings.NewReader("include Makefile\nshow:\n\t@echo $(GOFLAGS)\n")
		out, err := cmd.CombinedOutput()
		if flags := strings.Fields(string(out)); err != nil || !slices.Contains(flags, "-timeout=40m") ||
			slices.Contains(flags, "-count=1") != (had == "-count=1" || os.Getenv("CI") != "") {
			t.Errorf("GOFLAGS=%s becomes %s (%v)", had, out, err)
		}
	}
}

// The steps of `make test` are targets, each listed after those that it needs.
func TestStepsAreTargets(t *testing.T) {
	text := strings.ReplaceAll(read(t, "Makefile"), "\\\n", " ")
	m := regexp.MustCompile(`(?m)^STEPS := (.*)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("the Makefile has no STEPS")
	}
	seen := map[string]bool{}
	steps := strings.Replace(m[1], "$(if $(FRESH),test-fresh)", "test-fresh", 1)
	if steps == m[1] {
		t.Error("FRESH=yes does not add test-fresh")
	}
	for step := range strings.FieldsSeq(steps) {
		name, needs, _ := strings.Cut(step, ":")
		if !strings.Contains(text, "\n"+name+":") {
			t.Errorf("there is no make %s", name)
		}
		for need := range strings.SplitSeq(needs, ",") {
			if need != "" && !seen[need] {
				t.Errorf("%s is not run after %s, which it needs", name, need)
			}
		}
		if usesC(t, text, name) && !slices.Contains(strings.Split(needs, ","), "deps") {
			t.Errorf("%s compiles C, and does not wait for deps, which installs a compiler", name)
		}
		seen[name] = true
	}
	// These only group others, or are too short.
	left := []string{"test-page", "test-go", "test-fast"}
	for _, m := range regexp.MustCompile(`(?m)^(test-[a-z]+):`).FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] && !slices.Contains(left, m[1]) {
			t.Errorf("make test does not run %s", m[1])
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d steps", len(seen))
	}
}

// usesC reports whether a target of the Makefile, or a script that it runs, enables cgo.
func usesC(t *testing.T, makefile, target string) bool {
	t.Helper()
	_, recipe, _ := strings.Cut(makefile, "\n"+target+":")
	recipe, _, _ = strings.Cut(recipe, "\n\n")
	for _, script := range regexp.MustCompile(`scripts/[a-z0-9-]+\.sh`).FindAllString(recipe, -1) {
		recipe += read(t, script)
	}
	return strings.Contains(recipe, "CGO_ENABLED=1")
}
