package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// prometheus is a Prometheus server that evaluates the alerts of deploy/ and scrapes a server each second.
type prometheus struct {
	t       *testing.T
	address string
	log     string
}

func startPrometheus(t *testing.T, s *server) prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not installed: run `make deps` (Debian: apt-get install prometheus)")
	}
	folder := testproc.TempFolder(t, "holdfast-prometheus")
	rules, err := filepath.Abs("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\n"+
		"scrape_configs:\n- job_name: holdfast\n  static_configs: [{targets: [%s]}]\n", rules, strings.TrimPrefix(s.admin(),
		"http://"))
	if err := os.WriteFile(filepath.Join(folder, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	p := prometheus{t, fmt.Sprintf("http://127.0.0.1:%d", port), filepath.Join(folder, "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
		strings.Replace(p.address, "http://", "--web.listen-address=", 1))
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(syscall.SIGTERM, 30*time.Second) })
	testproc.WaitForOK(t, p.address+"/-/ready", process, p.log)
	return p
}

// ask sends a GET to its API and decodes the data of the answer.
func (p prometheus) ask(path string, into any) error {
	p.t.Helper()
	res, err := client.Get(p.address + "/api/v1/" + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var says struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(b, &says); err != nil {
		p.t.Fatalf("%s: %v\n%s", path, err, b)
	}
	if says.Status != "success" {
		return fmt.Errorf("%s: %s", res.Status, says.Error)
	}
	return json.Unmarshal(says.Data, into)
}

// value evaluates an expression: the value of its first series, and how many series there are.
func (p prometheus) value(expr string) (first string, series int, err error) {
	p.t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err = p.ask("query?query="+url.QueryEscape(expr), &data); err == nil && len(data.Result) > 0 {
		first, _ = data.Result[0].Value[1].(string)
	}
	return first, len(data.Result), err
}

// alertStates are the states of all alerts. None of their rules may fail.
func (p prometheus) alertStates() map[string]string {
	p.t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	if err := p.ask("rules", &rules); err != nil {
		p.t.Fatal(err)
	}
	states := map[string]string{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			states[r.Name] = r.State
			if r.Health == "err" {
				p.t.Errorf("%s: %s", r.Name, r.LastError)
			}
		}
	}
	return states
}

// Prometheus accepts the metrics and the alerts, every expression of the dashboard has a value, and
// the alert for lost data fires when the first object is missing.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	s, b := everything(t)
	p := startPrometheus(t, s)
	s.eventually("it has scraped twice, so that there are rates", func() bool {
		v, _, _ := p.value("count_over_time(holdfast_build_info[1m]) > 1")
		return v != ""
	})
	shown := dashboard(t)
	if len(shown) < 40 {
		t.Errorf("%d expressions", len(shown))
	}
	for where, expr := range shown {
		expr = strings.NewReplacer("$job", "holdfast", "$__rate_interval", "1m", "$__range", "1h").Replace(expr)
		// On a busy machine a scrape may fail, and then nothing has a value until the next one.
		s.eventually(where+" has a value: "+expr, func() bool {
			_, series, err := p.value(expr)
			return err == nil && (series > 0 || slices.Contains(silent, metricName.FindString(expr)))
		})
	}

	s.eventually("all alerts were evaluated, and nothing is wrong", func() bool {
		states := p.alertStates()
		for name, state := range states {
			if state == "firing" {
				t.Errorf("%s is firing, and nothing is wrong", name)
			}
		}
		return len(states) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(states)),
			func(state string) bool { return state != "inactive" })
	})
	url, _ := s.upload(t, random(1000))
	for _, o := range b.objects(t) {
		if strings.HasSuffix(url, "/"+*o.Key) {
			b.remove(t, *o.Key)
		}
	}
	if a := s.do(t, "GET", url, nil); a.status != 404 {
		t.Fatal(a)
	}
	s.eventually("the alert for lost data fires", func() bool { return p.alertStates()["HoldfastDataLost"] == "firing" })
}
