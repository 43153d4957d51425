package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v4"
)

// silent are metrics that a scrape may lack: a counter vector has no series before it has counted, and these count
// only faults. The metrics of the disk exist with the embedded store or SQLite only, those of TLS with a certificate.
var silent = []string{"holdfast_s3_errors_total", "holdfast_s3_retries_total", "holdfast_sql_errors_total",
	"holdfast_disk_free_bytes", "holdfast_disk_reserve_bytes", "holdfast_disk_uploads_stopped",
	"holdfast_tls_certificate_expiry_timestamp_seconds", "holdfast_tls_handshake_failures_total",
	"holdfast_tls_reloads_total"}

var metricName = regexp.MustCompile(`\b(?:holdfast|go|process|promhttp)_[a-z0-9_]+`)

// served returns the names of all metrics that a service can have, and those of its own families.
func served(t *testing.T) (names map[string]bool, ours []string) {
	t.Helper()
	s, _ := everything(t)
	names = map[string]bool{}
	for name, family := range s.scrape(t) {
		names[name] = true
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names[name+"_bucket"], names[name+"_count"], names[name+"_sum"] = true, true, true
		}
		if strings.HasPrefix(name, "holdfast_") {
			ours = append(ours, name)
		}
	}
	for _, name := range silent {
		if !names[name] {
			names[name], ours = true, append(ours, name)
		}
	}
	slices.Sort(ours)
	return names, ours
}

// Every metric is documented; documents, dashboard and alerts name no others.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	names, ours := served(t)
	var documented []string
	for line := range strings.Lines(readRepo(t, "docs/OPERATIONS.md")) {
		if m := regexp.MustCompile("^\\| `(holdfast_[a-z0-9_]+)`").FindStringSubmatch(line); m != nil {
			documented = append(documented, m[1])
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(ours, documented); diff != "" {
		t.Errorf("docs/OPERATIONS.md (+) and a scrape (-):\n%s", diff)
	}
	expressions := dashboard(t)
	maps.Copy(expressions, alerts(t))
	if len(expressions) < 30 {
		t.Fatalf("%d expressions", len(expressions))
	}
	for where, expr := range expressions {
		found := metricName.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s names no metric: %s", where, expr)
		}
		for _, name := range found {
			if !names[name] {
				t.Errorf("%s: there is no %s", where, name)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: %s", where, expr)
		}
	}
}

// alerts are the expressions of the alerts, by their names.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readRepo(t, "deploy/prometheus/alerts.yml")), &rules); err != nil {
		t.Fatal(err)
	}
	expressions := map[string]string{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			expressions["alert "+r.Alert] = r.Expr
		}
	}
	return expressions
}

// dashboard are the expressions of the dashboard, by their places in it.
func dashboard(t *testing.T) map[string]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readRepo(t, "deploy/grafana/holdfast.json")), &board); err != nil {
		t.Fatal(err)
	}
	expressions := map[string]string{}
	for _, p := range board.Panels {
		for i, target := range p.Targets {
			expressions[fmt.Sprintf("panel %s, %d", p.Title, i)] = target.Expr
		}
	}
	return expressions
}

func readRepo(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
