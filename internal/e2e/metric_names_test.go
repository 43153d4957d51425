package e2e

import (
	"encoding/json"
	"fmt"
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

// A counter vector without a series is not in a scrape: these have something to count only
// when something is wrong.
// Those of the disk are there with the embedded store or SQLite only.
var silent = []string{"holdfast_s3_errors_total", "holdfast_s3_retries_total", "holdfast_sql_errors_total",
	"holdfast_disk_free_bytes", "holdfast_disk_reserve_bytes", "holdfast_disk_uploads_stopped"}

var metricName = regexp.MustCompile(`\b(?:holdfast|go|process|promhttp)_[a-z0-9_]+`)

// What documents, dashboard and alerts name is there, and everything there is documented.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	s, _ := everything(t)
	there := map[string]bool{}
	var ours []string
	for name, family := range s.scrape(t) {
		there[name] = true
		if family.GetType() == dto.MetricType_HISTOGRAM {
			there[name+"_bucket"], there[name+"_count"], there[name+"_sum"] = true, true, true
		}
		if strings.HasPrefix(name, "holdfast_") {
			ours = append(ours, name)
		}
	}
	for _, name := range silent {
		if !there[name] {
			there[name], ours = true, append(ours, name)
		}
	}
	var told []string
	for line := range strings.Lines(readRepo(t, "docs/OPERATIONS.md")) {
		if m := regexp.MustCompile("^\\| `(holdfast_[a-z0-9_]+)`").FindStringSubmatch(line); m != nil {
			told = append(told, m[1])
		}
	}
	slices.Sort(ours)
	slices.Sort(told)
	if diff := cmp.Diff(ours, told); diff != "" {
		t.Errorf("docs/OPERATIONS.md (+) and a scrape (-):\n%s", diff)
	}

	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readRepo(t, "deploy/prometheus/alerts.yml")), &alerts); err != nil {
		t.Fatal(err)
	}
	expressions := dashboard(t)
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			expressions["alert "+r.Alert] = r.Expr
		}
	}
	if len(expressions) < 30 {
		t.Fatalf("%d expressions", len(expressions))
	}
	for where, expr := range expressions {
		names := metricName.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric: %s", where, expr)
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s: there is no %s", where, name)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: %s", where, expr)
		}
	}
}

// dashboard are the expressions of the dashboard, by where they stand in it.
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
