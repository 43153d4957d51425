package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/test/s3test"
)

// sources are a manifest's sources in another S3, behind URLs and in a folder.
type sources struct {
	*server
	backing
	web      *httptest.Server
	folder   string
	manifest string
	big      []byte // s3://acme/big
}

func startSources(t *testing.T) *sources {
	t.Helper()
	b := startBacking(t)
	other := s3test.Start(t)
	s := start(t, append(servers(b.pg, b.s3), from(other)...)...)
	s.token = s.run("token", "create", "--user", "7", "--account", "3")
	m := &sources{server: s, backing: b, big: random(20*mebi + 5), web: httptest.NewServer(http.HandlerFunc(serveSources)),
		folder: filepath.Join(s.folder, "folder"), manifest: filepath.Join(s.folder, "manifest")}
	t.Cleanup(m.web.Close)
	fill(t, other, "acme", map[string][]byte{"dir/my file.png": random(300), "big": m.big, "empty": {}})
	for name, content := range map[string][]byte{"folder/in/a.csv": []byte("a,b\n"), "secret": []byte("secret")} {
		path := filepath.Join(s.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink("../secret", filepath.Join(m.folder, "link")),
		syscall.Mkfifo(filepath.Join(m.folder, "fifo"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serveSources serves a file whose length is not declared, and files that break off.
func serveSources(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/chunked.txt":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, part := range bytes.SplitAfterN(random(9*mebi+1), []byte{7}, 3) {
			w.Write(part)
			w.(http.Flusher).Flush()
		}
	case "/cut":
		w.Header().Set("Content-Length", "1000")
		w.Write(random(10))
	case "/chunks-cut": // a part of 8 MiB comes, and not the end of the bytes behind it
		w.Write(random(8*mebi + 10))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	default:
		http.NotFound(w, r)
	}
}

// imports writes a manifest and imports it.
func (m *sources) imports(t *testing.T, lines []string, status int, report string, args ...string) (output string) {
	t.Helper()
	if err := os.WriteFile(m.manifest, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m.importing(t, status, report, append([]string{"--manifest", m.manifest}, args...)...)
}

// good are lines whose sources can be imported.
func (m *sources) good() []string {
	return []string{
		`{"account": 3, "user": 7, "bucket": "acme", "key": "dir/my file.png", "created": "2020-01-02T03:04:05Z"}`,
		fmt.Sprintf(`{"account": 3, "user": 7, "source": "s3://acme/big", "id": "chosen", "name": "../big.mp4", `+
			`"type": "video/mp4", "sha256": "%x", "size": %d}`, sha256.Sum256(m.big), len(m.big)),
		`{"account": 3, "user": 7, "source": "s3://acme/empty"}`,
		`{"account": 3, "user": 7, "url": "` + m.web.URL + `/chunked.txt?x=1"}`,
		`{"account": 3, "user": 7, "path": "in/a.csv"}`,
	}
}

// A manifest names files in another S3, behind URLs, in a folder and in the same store. Single lines that fail are
// reported, and files that exist are not copied again.
func TestImportManifest(t *testing.T) {
	t.Parallel()
	m := startSources(t)
	folder := []string{"--folder", m.folder}
	m.imports(t, []string{`{"account": 0, "path": "x"}`}, 2, "line 1: account must be")
	m.imports(t, m.good(), 0, "would be done: 5", append(folder, "--dry-run")...)
	if n := m.number(t, `select count(*) from files`); n != 0 {
		t.Fatalf("a dry run has copied %d", n)
	}
	m.imports(t, m.good(), 0, fmt.Sprintf("copied: 5; %d bytes", len(m.big)+300+9*mebi+1+4), folder...)
	t.Run("lines that fail", m.reportsFaults)
	t.Run("the files", m.areFiles)
	t.Run("from the same store", m.importsWithinTheStore)
	if found, clean := m.reconcile(t, "--deep"); !clean {
		t.Error(found)
	}
	if n, err := os.ReadDir(m.s3.Path("pneumatic-dev-test-4", "")); err != nil || len(n) > 1 { // versitygw's own folder
		t.Errorf("of files that failed %v is left", n)
	}
}

func (m *sources) reportsFaults(t *testing.T) {
	faults := []struct{ line, why string }{
		{`{"account": 3, "source": "s3://acme/none"}`, "s3://acme/none ("},
		{`{"account": 3, "source": "s3://acme/big", "id": "second"}`, "begun with the id chosen"}, // one source is one file
		{`{"account": 4, "source": "s3://acme/big", "sha256": "` + strings.Repeat("ab", 32) + `"}`,
			"the manifest says the SHA-256 abab"},
		{`{"account": 4, "source": "s3://acme/empty", "size": 1}`, "the manifest says 1 bytes"},
		{`{"account": 4, "path": "in/a.csv", "id": "chosen"}`, "the id chosen is another source's"},
		{`{"account": 3, "url": "` + m.web.URL + `/cut"}`, "unavailable: unexpected EOF"},
		{`{"account": 3, "url": "` + m.web.URL + `/chunks-cut"}`, "unexpected EOF"},
		{`{"account": 3, "url": "` + m.web.URL + `/none"}`, "404 Not Found"},
		{`{"account": 3, "path": "../secret"}`, "path escapes"},
		{`{"account": 3, "path": "link"}`, "path escapes"},
		{`{"account": 3, "path": "in"}`, "not a regular file"},
		{`{"account": 3, "path": "fifo"}`, "not a regular file"},
	}
	lines := m.good()
	for _, f := range faults {
		lines = append(lines, f.line)
	}
	out := m.imports(t, lines, 1, "already there: 5, failed: 12; 0 bytes", "--folder", m.folder, "--jobs", "1")
	for _, f := range faults {
		if !strings.Contains(out, f.why) {
			t.Errorf("%s: %q is not reported:\n%s", f.line, f.why, out)
		}
	}
}

func (m *sources) areFiles(t *testing.T) {
	list := struct {
		Files []struct{ ID, Name, Type, URL, CreatedAt string }
	}{}
	a := m.do(t, "GET", "/files/", nil)
	if err := json.Unmarshal(a.body, &list); err != nil || len(list.Files) != 5 {
		t.Fatalf("%v: %v", err, a)
	}
	want := map[string][]byte{"my_file.png image/png": random(300), "big.mp4 video/mp4": m.big, "empty image/png": {},
		"chunked.txt text/plain": random(9*mebi + 1),
		"a.csv text/csv":         []byte("a,b\n")}
	for _, f := range list.Files {
		content, there := want[f.Name+" "+f.Type]
		if !there {
			t.Errorf("%+v", f)
			continue
		}
		m.holds(t, f.URL, content)
	}
	if n := m.number(t, `select count(*) from files where created_at = '2020-01-02T03:04:05Z' or file_id = 'chosen' and
		user_id = 7 and account_id = 3`); n != 2 {
		t.Error("time, id or owner are not the manifest's")
	}
}

// importsWithinTheStore needs no settings of another store: the store copies by itself.
func (m *sources) importsWithinTheStore(t *testing.T) {
	fill(t, m.s3, "legacy", map[string][]byte{"x +%20y": random(500)})
	var env []string
	for _, e := range m.env {
		if !strings.HasPrefix(e, "IMPORT_S3") {
			env = append(env, e)
		}
	}
	m.env = env
	m.imports(t, []string{`{"account": 3, "user": 7, "source": "s3://legacy/x +%20y", "id": "same-store"}`}, 0,
		"copied: 1; 500 bytes")
	m.holds(t, m.base+"/same-store", random(500))
}
