package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/file"
)

// raw sends a request that openapi.yaml describes in words only. What differs from answer to answer, date and
// request id, is removed from the whole answer.
func (s *server) raw(t *testing.T, request string, headers ...string) (status int, location, whole string) {
	t.Helper()
	in := s.sendHead(t, append([]string{request, "Connection: close", "Content-Length: 0"}, headers...), "")
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	whole = regexp.MustCompile(`(?m)^(Date|X-Request-Id): .*\r\n`).ReplaceAllString(string(b), "")
	req := &http.Request{Method: strings.Fields(request)[0]}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), req)
	if err != nil {
		t.Fatalf("%s: %v %q", request, err, b)
	}
	return res.StatusCode, res.Header.Get("Location"), whole
}

// opensNested asks for a file by its old key, whose slashes a proxy has decoded.
func (s *server) opensNested(t *testing.T, key string) {
	t.Helper()
	owner := "Authorization: Bearer " + s.token
	stranger := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "2")
	for _, c := range []struct {
		request, token string
		want           int
	}{
		{"GET /files/" + key, owner, 200}, {"HEAD /files/" + key, owner, 200}, {"GET /" + key, owner, 200},
		{"GET /files/" + strings.Replace(key, "/", "%2F", 1), owner, 200}, {"GET /files/" + key, stranger, 403},
		{"GET /files/" + key + "/more", owner, 404}, {"GET /files/" + key + "/", owner, 404},
		{"GET /files/x/../" + key, owner, 404}, {"GET /files//" + key, owner, 404}, {"GET /files/tus/" + key, owner, 404},
		{"DELETE /files/" + key, owner, 404}, {"POST /files/" + key, owner, 404},
	} {
		if status, _, whole := s.raw(t, c.request, c.token); status != c.want {
			t.Errorf("%.60s: %d, want %d:\n%.600s", c.request, status, c.want, whole)
		}
	}

	// A caller who may not know whether a file exists gets the answer for a path that does not exist.
	for _, headers := range [][]string{nil, {"Authorization: Bearer wrong"}, {"Accept: text/html"}} {
		_, _, unknown := s.raw(t, "GET /files/no/such/key", headers...)
		for _, query := range []string{"", "?expires=9999999999&link=a&signature=b"} {
			if _, _, known := s.raw(t, "GET /files/"+key+query, headers...); known != unknown {
				t.Errorf("%v %s: the answers differ:\n%.700s\n%.700s", headers, query, known, unknown)
			}
		}
	}
	grants := s.base + "/" + file.ID(key).Escaped() + "/grants"
	if a := s.do(t, "PUT", grants, `{"access": "public"}`); a.status != 200 {
		t.Fatal(a)
	}
	if status, _, whole := s.raw(t, "GET /files/"+key); status != 200 {
		t.Errorf("a public file: %.600s", whole)
	}
	if status, _, whole := s.raw(t, "GET /files/"+key+"?expires=9999999999&link=a&signature=b"); status != 403 {
		t.Errorf("a wrong link of a public file: %.600s", whole)
	}
}

// Old keys with slashes open on SQLite, too; adopt_test.go asks on PostgreSQL. They count under one route.
func TestNestedKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "report.txt"), random(100), 0o600); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(folder, "manifest.csv")
	rows := "account,user,id,source\n1,1,2021/05/report.txt,report.txt\n"
	if err := os.WriteFile(manifest, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.importing(t, 0, "copied: 1", "--manifest", manifest, "--folder", folder)
	s.restart()
	s.opensNested(t, "2021/05/report.txt")
	got := s.scrape(t)
	if n := got.sum("holdfast_http_requests_total", "route=/{id}", "status=2xx"); n < 5 {
		t.Errorf("%v requests of old keys were counted", n)
	}
	for _, m := range got["holdfast_http_requests_total"].GetMetric() {
		if strings.Contains(m.String(), "report") || strings.Contains(m.String(), "2021") {
			t.Errorf("a path is a label: %v", m)
		}
	}
}

// The Python service redirects from a path with a slash behind it.
func TestSlashBehindAPath(t *testing.T) {
	t.Parallel()
	const base = "https://app.example.org/files"
	s := start(t, "PUBLIC_URL="+base, "FRONTEND_URL=https://app.example.org")
	form, header := formOf(t, "a", "", random(10))
	a := s.do(t, "POST", "/files/upload", form, header)
	url := string(a.body[:bytes.LastIndex(a.body, []byte(`"}`))])
	id := "/" + url[strings.LastIndexByte(url, '"')+1:]
	for _, c := range []struct{ method, path, location string }{
		{"GET", id, id}, {"HEAD", id, id}, {"DELETE", id, id}, {"POST", "/upload", "/upload"},
		{"GET", "/a%20b%2Fc", "/a%20b%2Fc"}, {"GET", "/%75pload", "/upload"}, {"GET", "/nothing", "/nothing"},
	} {
		for _, query := range []string{"", "?disposition=inline&x=%2F"} {
			for _, prefix := range []string{"/files", ""} {
				a := s.do(t, c.method, prefix+c.path+"/"+query, nil, "Authorization: -")
				if a.status != 307 || a.header.Get("Location") != base+c.location+query || len(a.body) > 0 {
					t.Errorf("%s %s%s/%s: %v", c.method, prefix, c.path, query, a)
				}
			}
		}
	}
	const anyType = "Accept: */*"
	for _, c := range []struct {
		method, path string
		want         int
		header       string
	}{
		{"GET", "/files/%2e%2e/", 404, anyType}, {"HEAD", "/files/a%00/", 404, anyType}, {"DELETE", "/files/a%2F/", 404,
			anyType},
		{"GET", "/files/%2e%2e/", 302, "Accept: text/html"}, {"GET", "/files/upload/", 405, anyType},
		{"PUT", "/files" + id + "/", 405, anyType}, {"DELETE", "/files" + id + "/", 403, "Origin: https://evil.example.org"},
		{"POST", "/files/upload/", 403, "Origin: https://evil.example.org"},
		{"POST", "/files/upload/", 415, "Content-Encoding: gzip"},
	} {
		if a := s.do(t, c.method, c.path, nil, c.header); a.status != c.want {
			t.Errorf("%s %s %s: %v, want %d", c.method, c.path, c.header, a, c.want)
		}
	}
}
