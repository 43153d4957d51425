package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/test/pgtest"
)

// Every input of a client contains pieces of SQL: none is executed, none is an error of the service, and no data
// changes.
func TestAttackWithSQL(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func() []string{
		"SQLite":     func() []string { return nil },
		"PostgreSQL": func() []string { return append(postgres(pgtest.Start(t)), "BUCKET_PREFIX=sql") },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, env()...)
			if s.token == "" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			file, _ := s.upload(t, []byte("precious"))
			for _, evil := range []string{`'; drop table files; --`, `' or '1'='1`, `" or ""="`,
				`x' union select token_hash from tokens --`, `\'; delete from uploads;--`,
				"$1", "%27%20or%201=1--", "?", "';select pg_sleep(60);--"} {
				in := url.PathEscape(evil)
				for _, c := range []struct{ method, path, headers, body string }{
					{"GET", "/files/" + in, "", ""},
					{"DELETE", "/files/" + in, "", ""},
					{"HEAD", "/files/tus/" + in, "", ""},
					{"PATCH", "/files/tus/" + in, octets + "|Upload-Offset: 0", "x"},
					{"GET", "/files/?limit=10&after=" + url.QueryEscape(evil), "", ""},
					{"GET", "/files/", "Authorization: Bearer " + evil, ""},
					{"GET", "/files/", "Authorization: Bearer hf_" + evil, ""},
					{"GET", file, "Authorization: -|Cookie: token=" + url.QueryEscape(evil), ""},
					{"POST", "/files/tus/", "Upload-Concat: final;/files/tus/" + in, ""},
				} {
					var headers []string
					if c.headers != "" {
						headers = strings.Split(c.headers, "|")
					}
					if a := s.do(t, c.method, c.path, c.body, headers...); a.status >= 500 || a.status == 200 &&
						!strings.Contains(c.path, "after=") {
						t.Errorf("%s %s [%s]: %v", c.method, c.path, c.headers, a)
					}
				}
				// Free texts are stored unchanged, or refused.
				for _, body := range []string{`{"access": "restricted", "groups": [` + quoted(evil) + `]}`, `{"access": ` +
					quoted(evil) + `}`} {
					if a := s.do(t, "PUT", file+"/grants", body); a.status >= 500 {
						t.Errorf("%s: %v", body, a)
					}
				}
				if sent, a := s.sendForm(t, strings.ReplaceAll(evil, `"`, "%22"), "text/plain", []byte("x"),
					`Idempotency-Key: "`+strings.NewReplacer(`"`, "", `\`, "").Replace(evil)+`"`); a.status >= 500 {
					t.Errorf("a form named %s: %v %v", evil, sent, a)
				}
			}
			s.holds(t, file, []byte("precious"))
			if got := len(s.names(t)); got < 2 {
				t.Errorf("%d files are listed", got)
			}
		})
	}
}

func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// Another user of the machine can read nothing in the data folder, even if the
// folder existed before. The database has no token that can be used.
func TestAttackOnTheDataFolder(t *testing.T) {
	s := newServer(t)
	if err := os.Mkdir(s.data, 0o755); err != nil {
		t.Fatal(err)
	}
	s.launch()
	file, _ := s.upload(t, random(9*mebi))
	id := path.Base(file)
	made := s.run("token", "create", "--user", "2", "--account", "1")
	// the token works, and is in the database
	if a := s.do(t, "GET", file, nil, "Authorization: Bearer "+made); a.status != 403 {
		t.Fatal(a)
	}
	found, closed := false, ""
	err := filepath.WalkDir(s.data, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == s.data {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		found = found || entry.Name() == id
		switch {
		case closed != "" && strings.HasPrefix(name, closed): // no other user gets that far
		case info.Mode().Perm()&0o077 == 0 && entry.IsDir():
			closed = name + "/"
		case info.Mode().Perm()&0o077 != 0 && entry.Name() != "lock": // it is empty
			t.Errorf("%s is open to others: %s", name, info.Mode())
		}
		if !entry.Type().IsRegular() || entry.Name() == "dev-token" {
			return nil
		}
		content, err := os.ReadFile(name)
		if strings.Contains(string(content), made) || strings.Contains(string(content), s.token) {
			t.Errorf("%s has a token in it", name)
		}
		return err
	})
	if err != nil || !found {
		t.Errorf("the file is there: %v, %v", found, err)
	}
}

// A program that the service calls redirects it to another internal address: the service does not follow, neither with
// an event nor with a token.
func TestAttackByRedirects(t *testing.T) {
	t.Parallel()
	var reached, asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	ways := []int{301, 302, 303, 307, 308}
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", inside.URL)
		w.WriteHeader(ways[int(asked.Add(1))%len(ways)])
	}))
	defer outside.Close()
	for setting, use := range map[string]func(*server){
		"WEBHOOK_URL": func(s *server) {
			for range ways {
				s.upload(t, []byte("x"))
			}
		},
		"PRE_CREATE_URL": func(s *server) {
			for range ways {
				if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1"); a.status != 503 {
					t.Errorf("PRE_CREATE_URL: %v", a)
				}
			}
		},
		"AUTH_JWKS_URL": func(s *server) {
			const token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJleHAiOjQxMDI0NDQ4MDB9.AAAA"
			if a := s.do(t, "GET", "/files/", nil, "Authorization: Bearer "+token); a.status != 503 || a.code() != "EXT_002" {
				t.Errorf("AUTH_JWKS_URL: %v", a)
			}
		},
	} {
		s := start(t, setting+"="+outside.URL, "WEBHOOK_SECRET="+webhookSecret)
		before := asked.Load()
		use(s)
		s.eventually(setting+" is asked", func() bool { return asked.Load() > before })
		s.stop()
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests came where they should not", n)
	}
}

// A page in an operator's browser requests the metrics, under a host name of its own that resolves to this address, or
// from its own origin.
func TestAttackOnMetricsByRebinding(t *testing.T) {
	t.Parallel()
	s := start(t, "ADMIN_HOSTS=holdfast,Metrics.Example.org", "ADMIN_PROFILES=on")
	own := strings.TrimPrefix(s.admin(), "http://")
	_, port, err := net.SplitHostPort(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, header string
		status       int
	}{
		{own, "", 200}, {"127.0.0.1", "", 200}, {"[::1]:" + port, "", 200}, {"10.1.2.3:" + port, "", 200},
		{"localhost:" + port, "", 200}, {"LOCALHOST.", "", 200},
		{"holdfast:" + port, "", 200}, {"metrics.example.org", "", 200}, {own, "Sec-Fetch-Site: none", 200},
		{own, "Sec-Fetch-Site: same-origin", 200},
		{own, "Origin: http://" + own, 200},
		{"evil.example.org:" + port, "", 421}, {"evil.example.org", "", 421}, {"localhost.evil.example.org", "", 421},
		{"holdfast.evil.example.org:" + port, "", 421},
		{"127.0.0.1.evil.example.org", "", 421}, {"xlocalhost", "", 421}, {"", "", 400},
		{own, "Origin: http://evil.example.org", 403}, {own, "Origin: null", 403}, {own, "Sec-Fetch-Site: cross-site", 403},
		{own, "Sec-Fetch-Site: same-site", 403},
	} {
		for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
			conn, err := net.Dial("tcp", own)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(patience))
			headers := "Connection: close\r\n"
			if c.header != "" {
				headers += c.header + "\r\n"
			}
			if c.host != "" {
				headers += "Host: " + c.host + "\r\n"
			}
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n%s\r\n", path, headers)
			got, err := io.ReadAll(conn)
			conn.Close()
			if err != nil || !strings.HasPrefix(string(got), fmt.Sprintf("HTTP/1.1 %d ", c.status)) || c.status != 200 &&
				strings.Contains(string(got), "go_") {
				t.Errorf("%s of %q [%s]: %.100q %v, want %d", path, c.host, c.header, got, err, c.status)
			}
		}
	}
}

// If ADMIN_ADDR is set, the address must be free. The default one need not be.
func TestAdminAddrIsTaken(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := newServer(t, "ADMIN_ADDR="+other.Addr().String())
	if status, log := s.ends(); status != 1 || !strings.Contains(log, "ADMIN_ADDR") {
		t.Errorf("status %d\n%s", status, log)
	}
}

// A client requests metrics and profiles in every possible way. They are only at ADMIN_ADDR, which only this machine
// can reach.
func TestAttackOnMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, "ADMIN_PROFILES=on")
	s.eventually("metrics are somewhere", func() bool {
		log, _ := os.ReadFile(s.log)
		return strings.Contains(string(log), "serving metrics")
	})
	telling := []string{"go_goroutines", "holdfast_requests", "process_open_fds", "goroutine profile:", "/debug/pprof/",
		"cmdline", "Types of profiles"}
	admin, err := url.Parse(s.admin())
	if err != nil {
		t.Fatal(err)
	}
	// They are visible at ADMIN_ADDR: otherwise the test would prove nothing.
	if n := s.scrape(t).sum("go_goroutines"); n < 1 {
		t.Fatalf("%s has %v goroutines", admin, n)
	}
	if !net.ParseIP(admin.Hostname()).IsLoopback() {
		t.Errorf("metrics are at %s", admin)
	}
	// 127.0.0.2 is this machine, too: a server that listens on all addresses can be reached there.
	if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", admin.Port())); err == nil {
		c.Close()
		t.Error("metrics can be reached by another address than the one that was set")
	}
	for _, path := range []string{"metrics", "metrics/", "debug/pprof/", "debug/pprof/heap",
		"debug/pprof/goroutine?debug=1", "debug/pprof/cmdline",
		"debug/pprof/profile?seconds=1", "debug/vars", "admin/metrics", "%6detrics"} {
		for _, prefix := range []string{"/", "/files/", "/files/tus/", "//", "/files/../"} {
			for _, headers := range [][]string{{"Authorization: -"}, {"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"},
				{"X-Forwarded-Host: " + admin.Host}, {"X-Original-URL: /metrics"}} {
				for _, method := range []string{"GET", "POST", "HEAD"} {
					a := s.do(t, method, prefix+path, nil, headers...)
					told := slices.ContainsFunc(telling, func(text string) bool { return strings.Contains(string(a.body), text) })
					if a.status < 300 || told || strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
						t.Errorf("%s %s%s with %q: %v", method, prefix, path, headers, a)
					}
				}
			}
		}
	}
	// In the form for a proxy, and with the host name of ADMIN_ADDR.
	for _, request := range []string{"GET /metrics HTTP/1.1\r\nHost: " + admin.Host, "GET " + admin.String() +
		"/metrics HTTP/1.1\r\nHost: " + admin.Host,
		"CONNECT " + admin.Host + " HTTP/1.1\r\nHost: " + admin.Host} {
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "%s\r\nConnection: close\r\n\r\n", request)
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 4") || strings.Contains(string(got), "go_goroutines") {
			t.Errorf("%q: %v %.200q", request, err, got)
		}
	}
}
