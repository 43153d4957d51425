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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// attempt runs a command and returns its exit status and what it printed.
func (s *server) attempt(t *testing.T, stdin string, args ...string) (status int, out string) {
	t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(b)
}

// importing runs an import and checks its status and the last line before its error.
func (s *server) importing(t *testing.T, status int, report string, args ...string) string {
	t.Helper()
	got, out := s.attempt(t, "", append([]string{"import"}, args...)...)
	if got != status || !strings.Contains(out, report) {
		t.Fatalf("import %v: status %d, want %d and %q:\n%s", args, got, status, report, out)
	}
	return out
}

func from(other *s3test.Server) []string {
	return []string{"IMPORT_S3_ENDPOINT=" + other.Endpoint, "IMPORT_S3_ACCESS_KEY=" + other.AccessKey,
		"IMPORT_S3_SECRET_KEY=" + other.SecretKey}
}

// fill makes a bucket with objects.
func fill(t *testing.T, on *s3test.Server, bucket string, objects map[string][]byte) {
	t.Helper()
	b := backing{s3: on}
	if _, err := b.store().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	for key, content := range objects {
		if _, err := b.store().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key,
			Body:        bytes.NewReader(content),
			ContentType: aws.String("image/png")}); err != nil {
			t.Fatal(err)
		}
	}
}

// What Django's migration leaves: rows with a size of 0, a guessed type and the day of the
// migration, for objects that lie where they belong.
func TestImportHeals(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, servers(b.pg, b.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	objects := map[string][]byte{"old 1ö.png": random(700), "b.png": random(9 * mebi), "empty": {}}
	fill(t, b.s3, bucket, objects)
	b.s3.Age(t, 1000*time.Hour)
	for key := range objects {
		b.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 0,
			'application/pdf', 'old.png', 1, 1)`, key)
	}
	b.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ('lost', 0,
		'application/pdf', 'lost', 1, 1)`)
	own, _ := s.upload(t, random(100))

	s.importing(t, 1, "would be done: 3, failed: 1", "--dry-run")
	if n := b.number(t, `select count(*) from files where sha256 is not null`); n != 1 {
		t.Errorf("a dry run has healed %d", n-1)
	}
	out := s.importing(t, 1, "healed: 3, failed: 1; "+fmt.Sprint(9*mebi+700)+" bytes")
	if !strings.Contains(out, "failed: "+bucket+"/lost (lost): ") || !strings.Contains(out, "object missing") {
		t.Error(out)
	}
	for key, content := range objects {
		sum := sha256.Sum256(content)
		if n := b.number(t, `select count(*) from files where file_id = $1 and size = $2 and sha256 = $3 and etag <> '' and
			content_type = 'image/png'
			and created_at < now() - interval '900 hours' and object_bucket = $4 and object_key = $1`, key, len(content), sum[:],
			bucket); n != 1 {
			t.Errorf("%s is not healed", key)
		}
		a := s.do(t, "GET", "/files/"+file.ID(key).Escaped(), nil)
		if a.status != 200 || !bytes.Equal(a.body, content) {
			t.Errorf("%s: %v", key, a)
		}
	}
	s.importing(t, 1, "failed: 1; 0 bytes")
	b.sql(t, `delete from files where file_id = 'lost'`)
	s.importing(t, 0, "nothing to do")
	if found, clean := s.reconcile(t, "--deep"); !clean {
		t.Error(found)
	}
	s.holds(t, own, random(100))
}

// A manifest names files in another S3, behind URLs, in a folder and in the same store. What
// is wrong with single ones is told, and what is there is not copied again.
func TestImportManifest(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	other := s3test.Start(t)
	s := start(t, append(servers(b.pg, b.s3), from(other)...)...)
	s.token = s.run("token", "create", "--user", "7", "--account", "3")
	big := random(20*mebi + 5)
	fill(t, other, "acme", map[string][]byte{"dir/my file.png": random(300), "big": big, "empty": {}})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chunked.txt": // its length is not known before
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			for _, part := range bytes.SplitAfterN(random(9*mebi+1), []byte{7}, 3) {
				w.Write(part)
				w.(http.Flusher).Flush()
			}
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			w.Write(random(10))
		case "/chunks-cut": // 8 MiB are a part, and the bytes behind it do not come
			w.Write(random(8*mebi + 10))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	folder := filepath.Join(s.folder, "folder")
	for name, content := range map[string][]byte{"folder/in/a.csv": []byte("a,b\n"), "secret": []byte("secret")} {
		path := filepath.Join(s.folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(big)
	lines := []string{
		`{"account": 3, "user": 7, "bucket": "acme", "key": "dir/my file.png", "created": "2020-01-02T03:04:05Z"}`,
		fmt.Sprintf(`{"account": 3, "user": 7, "source": "s3://acme/big", "id": "chosen", "name": "../big.mp4", `+
			`"type": "video/mp4", "sha256": "%x", "size": %d}`, sum, len(big)),
		`{"account": 3, "user": 7, "source": "s3://acme/empty"}`,
		`{"account": 3, "user": 7, "url": "` + web.URL + `/chunked.txt?x=1"}`,
		`{"account": 3, "user": 7, "path": "in/a.csv"}`,
	}
	bad := []string{
		`{"account": 3, "source": "s3://acme/none"}`,
		`{"account": 3, "source": "s3://acme/big", "id": "second"}`, // one source is one file
		`{"account": 4, "source": "s3://acme/big", "sha256": "` + strings.Repeat("ab", 32) + `"}`,
		`{"account": 4, "source": "s3://acme/empty", "size": 1}`,
		`{"account": 4, "path": "in/a.csv", "id": "chosen"}`, // somebody else's
		`{"account": 3, "url": "` + web.URL + `/cut"}`,
		`{"account": 3, "url": "` + web.URL + `/chunks-cut"}`,
		`{"account": 3, "url": "` + web.URL + `/none"}`,
		`{"account": 3, "path": "../secret"}`,
		`{"account": 3, "path": "link"}`,
		`{"account": 3, "path": "in"}`,
	}
	manifest := filepath.Join(s.folder, "manifest")
	write := func(lines ...string) {
		if err := os.WriteFile(manifest, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"account": 0, "path": "x"}`)
	s.importing(t, 2, "line 1: account must be", "--manifest", manifest)
	write(lines...)
	s.importing(t, 0, "would be done: 5", "--manifest", manifest, "--folder", folder, "--dry-run")
	if n := b.number(t, `select count(*) from files`); n != 0 {
		t.Fatalf("a dry run has copied %d", n)
	}
	s.importing(t, 0, fmt.Sprintf("copied: 5; %d bytes", len(big)+300+9*mebi+1+4), "--manifest", manifest, "--folder",
		folder)
	write(append(lines, bad...)...)
	out := s.importing(t, 1, "already there: 5, failed: 11; 0 bytes", "--manifest", manifest, "--folder", folder, "--jobs",
		"1")
	for i, why := range []string{"s3://acme/none (", "begun with the id chosen", "the manifest says the SHA-256 abab",
		"the manifest says 1 bytes", "the id chosen is another source's",
		"unavailable: unexpected EOF", "unexpected EOF", "404 Not Found", "path escapes", "path escapes",
		"not a regular file"} {
		if !strings.Contains(out, why) {
			t.Errorf("%s: %q is not told:\n%s", bad[i], why, out)
		}
	}

	list := struct {
		Files []struct{ ID, Name, Type, URL, CreatedAt string }
	}{}
	a := s.do(t, "GET", "/files/", nil)
	if err := json.Unmarshal(a.body, &list); err != nil || len(list.Files) != 5 {
		t.Fatalf("%v: %v", err, a)
	}
	want := map[string][]byte{"my_file.png image/png": random(300), "big.mp4 video/mp4": big, "empty image/png": {},
		"chunked.txt text/plain": random(9*mebi + 1),
		"a.csv text/csv":         []byte("a,b\n")}
	for _, f := range list.Files {
		content, there := want[f.Name+" "+f.Type]
		if !there {
			t.Errorf("%+v", f)
			continue
		}
		s.holds(t, f.URL, content)
	}
	if n := b.number(t, `select count(*) from files where created_at = '2020-01-02T03:04:05Z' or file_id = 'chosen' and
		user_id = 7 and account_id = 3`); n != 2 {
		t.Error("time, id or owner are not the manifest's")
	}

	// Within one store, the store copies by itself.
	fill(t, b.s3, "legacy", map[string][]byte{"x +%20y": random(500)})
	write(`{"account": 3, "user": 7, "source": "s3://legacy/x +%20y", "id": "same-store"}`)
	var env []string
	for _, e := range s.env {
		if !strings.HasPrefix(e, "IMPORT_S3") {
			env = append(env, e)
		}
	}
	s.env = env
	s.importing(t, 0, "copied: 1; 500 bytes", "--manifest", manifest)
	s.holds(t, s.base+"/same-store", random(500))
	if found, clean := s.reconcile(t, "--deep"); !clean {
		t.Error(found)
	}
	if n, err := os.ReadDir(b.s3.Path("pneumatic-dev-test-4", "")); err != nil || len(n) > 1 { // versitygw's own folder
		t.Errorf("of files that failed %v is left", n)
	}
}

// The embedded store and SQLite take files from a folder, while the service is stopped.
func TestImportEmbedded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.stop()
	folder := filepath.Join(s.folder, "old")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	content := random(9 * mebi)
	manifest := filepath.Join(s.folder, "manifest.csv")
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "a b.png"), content, 0o600),
		os.WriteFile(manifest, []byte("account,user,path,id\n1,1,a b.png,a-b\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.importing(t, 0, "copied: 1", "--manifest", manifest, "--folder", folder)
	s.importing(t, 0, "already there: 1", "--manifest", manifest, "--folder", folder)
	s.restart()
	s.holds(t, s.base+"/a-b", content)
}

// Old links in texts become new ones: from standard input, in files, and in a column of a
// database of others.
func TestImportLinks(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	u := *b.pg
	s := newServer(t, append(servers(b.pg, b.s3), "PUBLIC_URL=https://files.example.org/files/",
		"IMPORT_TEXTS_URL="+u.DSN())...)
	s.run("token", "list") // makes the tables
	b.sql(t, `insert into files (file_id, size, content_type, filename, account_id) values ('my file.pdf', 1,
		'application/pdf', 'x', 1), ('11', 1, 'application/pdf', 'x', 1)`)
	b.sql(t, `insert into imports (source, account_id, file_id, state, updated) values ('s3://acme/a.pdf', 1, '11', 'done',
		0), ('s3://acme/begun.pdf', 1, '12', 'begun', 0),
		('s3://acme/gone.pdf', 1, '13', 'done', 0)`) // a file that was deleted since
	const g, n = "https://storage.googleapis.com/", "https://files.example.org/files/"
	in := "x (" + g + "acme/a.pdf) y\n" + g + "acme2/a.pdf " + g + "acme/begun.pdf\n" + g + "acme/gone.pdf, " + g +
		"acme/gone.pdf.\n" + g + "kept/my%20file.pdf " + g + "kept/my file.pdf\n"
	want := "x (" + n + "11) y\n" + g + "acme2/a.pdf " + g + "acme/begun.pdf\n" + g + "acme/gone.pdf, " + g +
		"acme/gone.pdf.\n" + n + "my%20file.pdf " + n + "my%20file.pdf\n"
	diff := ":1\n-x (" + g + "acme/a.pdf) y\n+x (" + n + "11) y\n"
	left := "left: 4 links, which name no file\n  2  " + g + "acme/gone.pdf\n  1  " + g + "acme/begun.pdf\n  1  " + g +
		"acme2/a.pdf\n"
	if status, out := s.attempt(t, in, "import", "links", "--bucket", "kept"); status != 0 || out != want+left {
		t.Errorf("%d %s", status, out)
	}
	if status, out := s.attempt(t, in, "import", "links", "--dry-run"); status != 0 ||
		!strings.HasPrefix(out, "standard input"+diff+"left: 6 links") {
		t.Errorf("%d %s", status, out)
	}
	path := filepath.Join(s.folder, "text")
	if err := os.WriteFile(path, []byte(in), 0o640); err != nil {
		t.Fatal(err)
	}
	if status, out := s.attempt(t, "", "import", "links", "--dry-run", path); status != 0 ||
		!strings.HasPrefix(out, path+diff+"left: 6 links") {
		t.Errorf("%d %s", status, out)
	}
	if status, out := s.attempt(t, "", "import", "links", "--bucket", "kept", path); status != 0 ||
		out != path+": 3 links\n"+left {
		t.Errorf("%d %s", status, out)
	}
	got, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if err != nil || string(got) != want || info.Mode() != 0o640 {
		t.Errorf("%v %v %s", err, info.Mode(), got)
	}

	b.sql(t, `create schema django`)
	b.sql(t, `create table django."Comment" (id bigint primary key, "text" jsonb)`)
	b.sql(t, `insert into django."Comment" select i, jsonb_build_object('t', case when i % 2 = 0 then $1::text else 'no
		link' end) from generate_series(1, 1000) i`, in)
	args := []string{"import", "links", "--bucket", "kept", "--table", "django.Comment", "--column", "text"}
	if status, out := s.attempt(t, "", append(args, "--dry-run")...); status != 0 ||
		strings.Count(out, "django.Comment ") != 500 {
		t.Errorf("%d %.300s", status, out)
	}
	if n := b.number(t, `select count(*) from django."Comment" where "text"->>'t' = $1`, in); n != 500 {
		t.Errorf("a dry run has left %d of 500", n)
	}
	if status, out := s.attempt(t, "", args...); status != 0 || !strings.Contains(out, "django.Comment 1000: 3 links") {
		t.Errorf("%d %.300s", status, out)
	}
	if n := b.number(t, `select count(*) from django."Comment" where "text"->>'t' = $1`, want); n != 500 {
		t.Errorf("%d of 500 texts are as they should be", n)
	}
	for _, args := range [][]string{{"--table", "django.Comment"}, {"--column", "text"}, {"--table", "django.Comment",
		"--column", "text", path}} {
		if status, out := s.attempt(t, "", append([]string{"import", "links"}, args...)...); status != 2 {
			t.Errorf("%v: %d %s", args, status, out)
		}
	}
	if status, out := s.attempt(t, "", "import", "links", "--table", "django.Comment", "--column", "none"); status != 1 ||
		!strings.Contains(out, "no column none") {
		t.Errorf("%d %s", status, out)
	}
}
