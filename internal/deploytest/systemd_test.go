package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/config"
)

// systemd accepts the unit, and rates it as well protected. Nothing is started.
func TestSystemdUnit(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "deploy", "holdfast.service"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatal("systemd-analyze is not installed: run `make deps` (Debian: apt-get install systemd)")
	}
	// The program is not installed here: another one takes its place.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const program = "ExecStart=/usr/local/bin/holdfast serve\n"
	unit := string(b)
	if strings.Count(unit, program) != 1 {
		t.Fatalf("no line %q", program)
	}
	path := filepath.Join(t.TempDir(), "holdfast.service")
	analyze := func(text string, args ...string) (string, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", append(args, path)...).CombinedOutput()
		return string(out), err
	}
	unit = strings.Replace(unit, program, "ExecStart="+self+" serve\n", 1)
	if out, err := analyze(unit, "verify"); err != nil || out != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, _ := analyze(strings.Replace(unit, "ProtectSystem=strict", "ProtectSystems=strict", 1),
		"verify"); !strings.Contains(out, "ProtectSystems") {
		t.Errorf("verify does not see a wrong name: %s", out)
	}
	// In tenths: 2.0 of 10 is "OK"; a unit without any protection has 9.6.
	if out, err := analyze(unit, "security", "--offline=true", "--threshold=20", "--no-pager"); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}

	for _, m := range regexp.MustCompile(`(?m)^Environment=(.*)$`).FindAllStringSubmatch(unit, -1) {
		for _, e := range strings.Fields(m[1]) {
			if name, _, _ := strings.Cut(e, "="); !isSetting(name) {
				t.Errorf("%s is no setting", name)
			}
		}
	}
	c, err := config.Load(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(unit)
	if m == nil {
		t.Fatal("no TimeoutStopSec in seconds")
	}
	if stop, err := time.ParseDuration(m[1] + "s"); err != nil || stop < c.Drain.Delay+c.Drain.Timeout+5*time.Second {
		t.Errorf("it is killed after %s, and may need %s", stop, c.Drain.Delay+c.Drain.Timeout)
	}
}
