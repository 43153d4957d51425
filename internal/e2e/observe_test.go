package e2e

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// admin is the address of metrics and profiles.
func (s *server) admin() string {
	s.t.Helper()
	log, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	address := regexp.MustCompile(`serving metrics" address=(\S+)`).FindAllSubmatch(log, -1)
	if len(address) == 0 {
		s.t.Fatalf("no address of metrics in\n%s", log)
	}
	return "http://" + string(address[len(address)-1][1])
}

// watch sends a GET to the operators' address.
func (s *server) watch(path string) (*http.Response, error) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.admin()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	// Compressing the metrics, which tests ask for again and again, took a twentieth of what the programs computed.
	r.Header.Set("Accept-Encoding", "identity")
	return (&http.Client{Transport: s.lines, Timeout: patience}).Do(r)
}

// scrape are the metrics as Prometheus reads them.
type scrape map[string]*dto.MetricFamily

func (s *server) scrape(t *testing.T) scrape {
	t.Helper()
	res, err := s.watch("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return families
}

// sum adds up the series of a metric that have these labels ("name=value"): values of
// counters and gauges, counts of histograms.
func (s scrape) sum(name string, labels ...string) (sum float64) {
	for _, m := range s[name].GetMetric() {
		has := func(want string) bool {
			return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == want })
		}
		if !slices.ContainsFunc(labels, func(want string) bool { return !has(want) }) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// Every operation is counted once, by its outcome.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=7", "RATE_LIMIT_UPLOAD_WINDOW=24h",
		"UPLOAD_TTL=24h")
	s.doesAll(t)
	got := s.scrape(t)
	for _, c := range metricsOfAll() {
		if n := got.sum(c.name, strings.FieldsFunc(c.labels, func(r rune) bool { return r == ',' })...); n != c.want {
			t.Errorf("%s{%s} is %v, want %v", c.name, c.labels, n, c.want)
		}
	}
	for _, name := range []string{"holdfast_sweep_last_success_timestamp_seconds", "holdfast_lease_wait_seconds",
		"holdfast_cache_hits_total", "go_goroutines",
		"process_open_fds", "go_sql_open_connections"} {
		if got.sum(name) == 0 {
			t.Errorf("%s is 0", name)
		}
	}
	// Labels are bounded: no id or path is in one.
	for name, family := range got {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-|nothing|BREW`).MatchString(l.GetValue()) {
					t.Errorf("%s{%s=%q}", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
}

// doesAll makes requests of every kind and outcome.
func (s *server) doesAll(t *testing.T) {
	t.Helper()
	content := random(300_000)
	first, _ := s.upload(t, content)
	second, location := s.upload(t, content)
	form, header := formOf(t, "a", "", content)
	if a := s.do(t, "POST", "/files/upload", form, header); a.status != 200 {
		t.Fatal(a)
	}
	open := s.create(t, 100)
	s.patch(t, open, 0, content[:10])
	for _, c := range []struct {
		method, path string
		body         any
		headers      string
		status       int
	}{
		{"PATCH", open, "x", octets + "|Upload-Offset: 5", 409},
		{"POST", "/files/tus/", nil, "Upload-Length: 99999999999", 413},
		{"DELETE", open, nil, "", 204},
		{"DELETE", location, nil, "", 204},
		{"GET", first, nil, "", 200},
		{"GET", first, nil, "", 200},
		{"GET", first, nil, "Range: bytes=0-99", 206},
		{"GET", first, nil, "Range: bytes=999999-", 416},
		{"GET", second, nil, "", 404},
		{"HEAD", first, nil, "", 200},
		{"GET", "/files/nothing/at/all", nil, "", 404},
		{"DELETE", first, nil, "", 204},
		{"POST", "/files/tus/", nil, "Upload-Length: 1", 201},
		{"POST", "/files/tus/", nil, "Upload-Length: 1", 201},
		{"POST", "/files/tus/", nil, "Upload-Length: 1", 429},
		{"BREW", "/files/", nil, "", 405},
	} {
		if a := s.do(t, c.method, c.path, c.body, strings.FieldsFunc(c.headers,
			func(r rune) bool { return r == '|' })...); a.status != c.status {
			t.Fatalf("%s %s: %v", c.method, c.path, a)
		}
	}
}

type metricValue struct {
	want   float64
	name   string
	labels string
}

// metricsOfAll are the metrics after doesAll.
func metricsOfAll() []metricValue {
	return []metricValue{
		{6, "holdfast_uploads_created_total", ""},
		{3, "holdfast_uploads_finished_total", ""},
		{2, "holdfast_uploads_removed_total", ""},
		{0, "holdfast_uploads_expired_total", ""},
		{900_010, "holdfast_upload_received_bytes_total", ""},
		{3, "holdfast_uploads_refused_total", ""},
		{1, "holdfast_uploads_refused_total", "code=UPLOAD_001"},
		{1, "holdfast_uploads_refused_total", "code=FILE_003"},
		{1, "holdfast_uploads_refused_total", "code=RATE_001"},
		{1, "holdfast_rate_limit_refusals_total", "limit=upload"},
		{2, "holdfast_downloads_total", "outcome=whole"},
		{1, "holdfast_downloads_total", "outcome=range"},
		{2, "holdfast_downloads_total", "outcome=refused"},
		{5, "holdfast_downloads_total", ""},
		{2, "holdfast_download_duration_seconds", "outcome=whole"},
		{600_100, "holdfast_download_sent_bytes_total", ""},
		{1, "holdfast_files_deleted_total", ""},
		{7, "holdfast_http_requests_total", "route=/tus/,method=POST"},
		{2, "holdfast_http_requests_total", "route=/tus/,status=4xx"},
		{3, "holdfast_http_requests_total", "route=/tus/{id},method=PATCH,status=2xx"},
		{1, "holdfast_http_requests_total", "route=/tus/{id},method=PATCH,status=4xx"},
		{1, "holdfast_http_requests_total", "route=/upload,method=POST,status=2xx"},
		{1, "holdfast_http_requests_total", "route=none,status=4xx"},
		{1, "holdfast_http_requests_total", "method=other,status=4xx"},
		{7, "holdfast_http_request_duration_seconds", "route=/tus/,method=POST"},
		{0, "holdfast_http_requests_in_flight", ""},
		{4, "holdfast_s3_duration_seconds", "operation=PutObject"}, // one for each file, and a tail
		{3, "holdfast_s3_duration_seconds", "operation=GetObject"},
		{0, "holdfast_s3_errors_total", "reason=failed"},
		{0, "holdfast_s3_errors_total", "reason=unreachable"},
		{6, "holdfast_sql_duration_seconds", "operation=create upload"},
		{0, "holdfast_sql_errors_total", ""},
		{256 << 20, "holdfast_memory_limit_bytes", ""},
		{0, "holdfast_memory_waiting_requests", ""},
		{0, "holdfast_lease_timeouts_total", ""},
		{1, "holdfast_build_info", ""},
	}
}

// A download of a file whose record is cached asks the database for nothing: neither for the record nor whether the id
// is an unfinished upload's.
func TestCachedDownloadNeedsNoQuery(t *testing.T) {
	t.Parallel()
	s := start(t)
	url, location := s.upload(t, random(1000))
	asked := func() float64 {
		m := s.scrape(t)
		return m.sum("holdfast_sql_duration_seconds", "operation=read upload") +
			m.sum("holdfast_sql_duration_seconds", "operation=read record")
	}
	for _, u := range []string{url, location} { // the file, and the upload that it was
		if a := s.do(t, "GET", u, nil, "Tus-Resumable: -"); a.status != http.StatusOK {
			t.Fatal(u, a)
		}
	}
	before := asked()
	for range 10 {
		for _, u := range []string{url, location} {
			if a := s.do(t, "GET", u, nil, "Tus-Resumable: -", "Range: bytes=1-2"); a.status != http.StatusPartialContent {
				t.Fatal(u, a)
			}
		}
	}
	if n := asked() - before; n != 0 {
		t.Errorf("%v queries for twenty ranges", n)
	}
}

// A download that its client breaks off counts as broken, not as whole.
func TestBrokenDownloadCounts(t *testing.T) {
	t.Parallel()
	s := start(t)
	file, _ := s.upload(t, random(30*mebi))
	r, err := http.NewRequest("GET", file, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if now := s.scrape(t); now.sum("holdfast_http_requests_in_flight", "kind=download") != 1 ||
		now.sum("holdfast_downloads_total") != 0 {
		t.Errorf("during it: %v %v", now["holdfast_http_requests_in_flight"], now["holdfast_downloads_total"])
	}
	res.Body.Close()
	s.eventually("it is counted", func() bool {
		return s.scrape(t).sum("holdfast_downloads_total",
			"outcome=broken") == 1
	})
	if now := s.scrape(t); now.sum("holdfast_downloads_total") != 1 ||
		now.sum("holdfast_download_sent_bytes_total") >= 30*mebi {
		t.Errorf("%v", now["holdfast_downloads_total"])
	}
}

// Profiles are served at the operators' address if they are switched on, and never to clients.
func TestProfiles(t *testing.T) {
	t.Parallel()
	if res, err := start(t).watch("/debug/pprof/"); err != nil || res.Body.Close() != nil ||
		res.StatusCode != http.StatusNotFound {
		t.Errorf("profiles that nobody asked for: %v %v", res, err)
	}
	s := start(t, "ADMIN_PROFILES=on")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/cmdline",
		"/debug/pprof/profile?seconds=1", "/metrics"} {
		res, err := s.watch(path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
		for _, prefix := range []string{"", "/files"} {
			if a := s.do(t, "GET", prefix+path, nil); a.status != http.StatusNotFound {
				t.Errorf("%s is open to clients: %v", prefix+path, a)
			}
		}
	}
}

// everything starts a service with all parts that have metrics, and uses each.
func everything(t *testing.T) (*server, backing) {
	t.Helper()
	b, d, r := startBacking(t), startDjango(t), newReceiver(t)
	d.allow("*", "*")
	s := start(t, slices.Concat(servers(b.pg, b.s3), d.all(), []string{"RATE_LIMIT_ENABLED=on", "WEBHOOK_URL=" + r.URL,
		"WEBHOOK_SECRET=" + webhookSecret})...)
	d.user("ownerstoken", 1, 1)
	other := d.user("otherstoken", 2, 1)
	s.token = "ownerstoken"
	file, _ := s.upload(t, random(9*mebi))
	if a := s.do(t, "GET", file, nil, other); a.status != 200 {
		t.Fatal(a)
	}
	s.do(t, "PATCH", "/files/tus/nothing", "x", octets, "Upload-Offset: 0") // is refused
	s.eventually("both sweeps have been", func() bool {
		now := s.scrape(t)
		return now.sum("holdfast_sweeps_total")+now.sum("holdfast_leftovers_sweeps_total") >= 2 &&
			now.sum("holdfast_events_sent_total") > 0
	})
	return s, b
}

// /readyz names what is missing, in one word each.
func TestReadyNames(t *testing.T) {
	t.Parallel()
	b, d := startBacking(t), startDjango(t)
	s := start(t, append(servers(b.pg, b.s3), d.tokens()...)...)
	says := func(want string) {
		t.Helper()
		s.eventually("/readyz says "+want, func() bool { return string(s.do(t, "GET", "/files/readyz", nil).body) == want })
	}
	says("ok\n")
	b.pg.Stop(t)
	says("not ready: database\n")
	b.s3.Stop(t)
	says("not ready: database, store\n")
	d.redis.Freeze() // hangs, and does not refuse
	says("not ready: database, store, redis\n")
	a := s.do(t, "GET", "/readyz", nil, "Accept: application/json")
	if want := `{"status":"not ready","missing":["database","store","redis"]}`; a.status != 503 ||
		string(a.body) != want || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, want %s", a, want)
	}
	if a := s.do(t, "GET", "/healthz", nil, "Accept: application/json"); a.status != 200 ||
		string(a.body) != `{"status":"ok"}` {
		t.Error(a)
	}
	now := s.scrape(t)
	if now.sum("holdfast_sql_errors_total", "operation=connect") == 0 || now.sum("holdfast_s3_errors_total",
		"operation=ListObjectsV2", "reason=unreachable") == 0 ||
		now.sum("holdfast_build_info") != 1 || now["holdfast_events"] != nil {
		t.Errorf("with everything away: %v %v %v", now["holdfast_sql_errors_total"], now["holdfast_s3_errors_total"],
			now["holdfast_events"])
	}
	d.redis.Thaw()
	b.s3.Restart(t)
	b.pg.Restart(t)
	says("ok\n")
	log, _ := os.ReadFile(s.log)
	for _, want := range []string{`msg="not ready" missing=database error="database: connect`,
		`missing="database, store, redis"`, `msg="ready again"`} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log has no %s", want)
		}
	}
}
