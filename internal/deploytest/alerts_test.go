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

// Each alert fires when it should and keeps quiet when it should: deploy/prometheus/alerts_test.yml
// says when, and Prometheus' own tool runs it.
func TestAlerts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Fatal("promtool is not installed: run `make deps` (Debian: apt-get install prometheus)")
	}
	folder := t.TempDir()
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
	texts := map[string]string{"alerts.yml": read("alerts.yml", &alerts), "alerts_test.yml": read("alerts_test.yml",
		&cases)}
	run := func() (string, error) {
		for name, text := range texts {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "promtool", "test", "rules", "alerts_test.yml")
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	var all, quiet, loud []string
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			all = append(all, r.Alert)
		}
	}
	for _, c := range cases.Tests {
		for _, one := range c.Cases {
			if len(one.Fires) > 0 {
				loud = append(loud, one.Alert)
			} else {
				quiet = append(quiet, one.Alert)
			}
		}
	}
	if !slices.Equal(all, quiet) || !slices.Equal(all, loud) {
		t.Errorf("the alerts are %q; tried are %q for silence and %q for noise", all, quiet, loud)
	}

	// A tool that took everything would show nothing.
	const bound = "> 0.02"
	if !strings.Contains(texts["alerts.yml"], bound) {
		t.Fatalf("no bound %q", bound)
	}
	texts["alerts.yml"] = strings.Replace(texts["alerts.yml"], bound, "> 0.005", 1)
	if out, err := run(); err == nil || !strings.Contains(out, "HoldfastErrors") {
		t.Errorf("an alert for too little is not noticed: %v\n%s", err, out)
	}
}
