package deploytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// alertRules are deploy/prometheus/alerts.yml and its tests, as text and parsed.
type alertRules struct {
	rules, tests string
	names        []string // of all alerts
	quiet, loud  []string // alerts that the tests expect to be silent, and to fire
}

func readAlerts(t *testing.T) alertRules {
	t.Helper()
	read := func(name string, into any) string {
		b, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(b)
	}
	var alerts struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	var cases struct {
		Tests []struct {
			Cases []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	a := alertRules{rules: read("alerts.yml", &alerts), tests: read("alerts_test.yml", &cases)}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			a.names = append(a.names, r.Alert)
		}
	}
	for _, test := range cases.Tests {
		for _, c := range test.Cases {
			if len(c.Fires) > 0 {
				a.loud = append(a.loud, c.Alert)
			} else {
				a.quiet = append(a.quiet, c.Alert)
			}
		}
	}
	return a
}

// promtool runs the tests of these rules.
func (a alertRules) promtool(t *testing.T) (output string, err error) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"alerts.yml": a.rules, "alerts_test.yml": a.tests} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "promtool", "test", "rules", "alerts_test.yml")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Each alert fires when it should and is silent otherwise, according to deploy/prometheus/alerts_test.yml, which
// Prometheus's own tool runs.
func TestAlerts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Fatal("promtool is not installed: run `make deps` (Debian: apt-get install prometheus)")
	}
	a := readAlerts(t)
	if out, err := a.promtool(t); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !slices.Equal(a.names, a.quiet) || !slices.Equal(a.names, a.loud) {
		t.Errorf("the alerts are %q; tried are %q for silence and %q for noise", a.names, a.quiet, a.loud)
	}

	// The tool must be able to fail: it reports an alert that fires too early.
	const bound = "> 0.02"
	if !strings.Contains(a.rules, bound) {
		t.Fatalf("no bound %q", bound)
	}
	a.rules = strings.Replace(a.rules, bound, "> 0.005", 1)
	if out, err := a.promtool(t); err == nil || !strings.Contains(out, "HoldfastErrors") {
		t.Errorf("an alert for too little is not noticed: %v\n%s", err, out)
	}
}
