package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/proxytest"
	"holdfast/internal/test/redistest"
	"holdfast/internal/test/testproc"
)

// snippet is a block of a document in docs/.
func snippet(t *testing.T, document, name, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- test: " + name + " -->\n```" + language + "\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("no block %q", name)
	}
	return string(m[1])
}

// The settings in the Python service's compose file start Holdfast in every mode. Only the addresses of this
// machine's servers are different.
func TestThePythonServicesEnvironment(t *testing.T) {
	t.Parallel()
	var env []string
	for _, m := range regexp.MustCompile(`(?m)^      ([A-Z0-9_]+): (.*)$`).FindAllStringSubmatch(snippet(t, "MIGRATING.md",
		"compose", "yaml"), -1) {
		env = append(env, m[1]+"="+strings.Trim(m[2], `'"`))
	}
	if len(env) < 30 {
		t.Fatalf("%d settings", len(env))
	}
	redis, b := redistest.Start(t), startBacking(t)
	for _, mode := range []string{"Testing", "Development", "Production"} {
		t.Run(mode, func(t *testing.T) {
			s := newServer(t, env...)
			s.env = append(s.env, postgres(b.pg)...)
			s.env = append(s.env, "CONFIG="+mode, fmt.Sprintf("PORT=%d", s.port), "AUTH_REDIS_URL="+redis.URL(),
				"SEAWEEDFS_S3_ENDPOINT="+b.s3.Endpoint, "SEAWEEDFS_S3_ACCESS_KEY="+b.s3.AccessKey,
				"SEAWEEDFS_S3_SECRET_KEY="+b.s3.SecretKey, "SEAWEEDFS_S3_REGION="+b.s3.Region)
			s.launch()
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			production := mode == "Production"
			form, header := formOf(t, "a.txt", "text/plain", []byte("hello"))
			began := time.Now()
			for i := range 10 {
				a := s.do(t, "POST", "/upload", form, header)
				var got sent
				if err := json.Unmarshal(a.body, &got); err != nil || got.URL != "https://app.example.org/files/"+got.ID {
					t.Fatalf("%d: %v", i, a)
				}
				s.holds(t, s.base+"/"+got.ID, []byte("hello"))
				if hsts := a.header.Get("Strict-Transport-Security") != ""; hsts != production {
					t.Errorf("HSTS: %v", a.header)
				}
			}
			more, a := 0, s.do(t, "POST", "/upload", form, header)
			for ; production && a.status == 200; more++ {
				// Ten a minute are one more every six seconds, on a slow machine already now.
				if allowed := int(time.Since(began) / (6 * time.Second)); more >= allowed {
					t.Fatalf("%d uploads after the first ten, want %d: %v", more+1, allowed, a)
				}
				a = s.do(t, "POST", "/upload", form, header)
			}
			if want := map[bool]int{true: 429, false: 200}[production]; a.status != want {
				t.Errorf("after %d uploads: %v, want %d", 10+more, a, want)
			}
			s.stop()
		})
	}
}

// nginx stands in front as it did before, and strips the prefix.
func TestBehindThePythonServicesNginx(t *testing.T) {
	t.Parallel()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf("http://127.0.0.1:%d/files", port)
	s := start(t, "FASTAPI_BASE_URL="+public+"/", "FRONTEND_URL=https://app.example.org", "MAX_FILE_SIZE=20000000")
	nginxLog := proxytest.NginxWith(t, snippet(t, "MIGRATING.md", "nginx", "nginx"), port, s.port)
	s.base = public

	content := random(9 << 20)
	byForm, a := s.sendForm(t, "Отчёт.pdf", "application/pdf", content, "Origin: "+strings.TrimSuffix(public, "/files"))
	if a.status != http.StatusOK {
		t.Fatal(a)
	}
	s.holds(t, byForm.URL, content)
	byTus, location := s.upload(t, content)
	if !strings.HasPrefix(location, public+"/tus/") || !strings.HasPrefix(byTus, public+"/") {
		t.Errorf("%s %s", location, byTus)
	}
	s.holds(t, byTus, content)
	if a := s.do(t, "GET", byForm.URL, nil, "Range: bytes=9000000-9000009"); a.status != 206 ||
		!bytes.Equal(a.body, content[9000000:9000010]) {
		t.Errorf("%v", a)
	}
	s.answersAsPython(t, byForm)
	a = s.do(t, "GET", public+"/some-id?x=1", nil, "Authorization: -", "Accept: text/html")
	want := "https://app.example.org/auth/signin/?redirectUrl=https%3A%2F%2Fapp.example.org%2Ffiles%2Fsome-id%3Fx%3D1"
	if a.status != 302 || a.header.Get("Location") != want {
		t.Errorf("%v", a)
	}

	log, err := os.ReadFile(s.log)
	if err != nil || strings.Contains(string(log), "192.0.2.1") || !strings.Contains(string(log), "client=127.0.0.1") {
		t.Errorf("the client's address is not the one that nginx sent: %v", err)
	}
	if log, err := os.ReadFile(nginxLog); err != nil || strings.Contains(string(log), "temporary file") {
		t.Errorf("nginx buffered on its disk: %v\n%s", err, log)
	}
}

// answersAsPython compares errors with those of the Python service, byte by byte. Each request pretends to come from
// another address, which nginx overwrites.
func (s *server) answersAsPython(t *testing.T, byForm sent) {
	t.Helper()
	large, header := formOf(t, "a", "", make([]byte, 20_000_001))
	for _, c := range []struct {
		method, path, headers string
		body                  any
		status                int
		want                  string
	}{
		{"GET", byForm.URL, "Authorization: -", nil, 401, `{"code":"AUTH_001","message":"Authentication failed"}`},
		{"GET", s.base + "/not-there", "Accept: */*", nil, 404,
			`{"code":"FILE_001","message":"File not found","details":{"reason":"File with ID 'not-there' not found"}}`},
		{"GET", byForm.URL, "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1"), nil, 403,
			`{"code":"FILE_002","message":"Access to file denied","details":{"reason":"User 2 has no access to file '` +
				byForm.ID + `'"}}`},
		{"POST", s.base + "/upload", header, large, 413,
			`{"code":"FILE_003","message":"File size exceeds limit",` +
				`"details":{"reason":"File size 20000001 bytes exceeds limit 20000000 bytes"}}`},
		{"POST", s.base + "/upload", "Content-Type: multipart/form-data; boundary=b", "--b--\r\n", 422,
			`{"code":"VAL_002","message":"Missing required field",` +
				`"details":{"reason":"Field 'file' is required and must be a file"}}`},
	} {
		a := s.do(t, c.method, c.path, c.body, c.headers, "X-Real-IP: 192.0.2.1")
		if a.status != c.status || string(a.body) != c.want {
			t.Errorf("%s %s: %v, want %d %s", c.method, c.path, a, c.status, c.want)
		}
	}
}
