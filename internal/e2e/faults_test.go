package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3/lock"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
	"holdfast/internal/test/testproc"
)

const mebi = 1 << 20

func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return b
}

// breaking is a body that calls a function once at bytes were read.
type breaking struct {
	io.Reader
	at     int
	happen func()
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.at <= 0 && b.happen != nil {
		b.happen()
		b.happen = nil
	}
	n, err := b.Reader.Read(p[:min(len(p), 64<<10)])
	b.at -= n
	return n, err
}

// dependency is something that goes away and comes back.
type dependency interface {
	Stop(testing.TB)
	Restart(testing.TB)
}

func TestObjectStoreGone(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	s := start(t, objectStore(s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	s.survives(t, s3, 200)
}

func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	s := start(t, postgres(pg)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	s.survives(t, pg, 503)
}

// survives stops d in the middle of an upload. head is the status of HEAD then.
func (s *server) survives(t *testing.T, d dependency, head int) {
	kept := random(3 * mebi)
	url, _ := s.upload(t, kept)
	content := random(20 * mebi)
	at := s.create(t, len(content))
	if a := s.patch(t, at, 0, content[:9*mebi]); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	a := s.patch(t, at, 9*mebi, &breaking{bytes.NewReader(content[9*mebi:]), 2 * mebi, func() { d.Stop(t) }})
	unavailable(t, "PATCH", a)
	unavailable(t, "GET", s.do(t, "GET", url, nil))
	unavailable(t, "POST with bytes", s.do(t, "POST", "/files/tus/", "abc", "Upload-Length: 3", octets))
	if a := s.do(t, "GET", "/readyz", nil); a.status != 503 {
		t.Errorf("/readyz: %v", a)
	}
	if a := s.do(t, "GET", "/healthz", nil); a.status != 200 {
		t.Errorf("/healthz: %v", a)
	}
	if a := s.do(t, "HEAD", at, nil); a.status != head && a.status != 423 {
		t.Errorf("HEAD: %v", a)
	}
	d.Restart(t)
	s.goesOn(t, at, 9*mebi, content)
	s.holds(t, url, kept)
}

func unavailable(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != 503 || a.header.Get("Retry-After") == "" || a.code() == "" {
		t.Errorf("%s: %v; want 503 with Retry-After", what, a)
	}
}

// goesOn finishes an upload, as soon as that is possible, and downloads the file.
func (s *server) goesOn(t *testing.T, at string, least int, content []byte) {
	t.Helper()
	s.eventually("the upload goes on", func() bool {
		a := s.do(t, "HEAD", at, nil)
		if a.status != 200 {
			return false
		}
		n, err := strconv.Atoi(a.header.Get("Upload-Offset"))
		if err != nil || n < least || n > len(content) {
			t.Fatalf("HEAD: %v; %d bytes were answered", a, least)
		}
		return n == len(content) || s.patch(t, at, n, content[n:]).status == 204
	})
	s.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// ends waits for the end of a server that should not start, and returns its status.
func (s *server) ends() (status int, log string) {
	s.t.Helper()
	s.begin()
	s.eventually("the server ends", func() bool {
		select {
		case <-s.process.Done():
			return true
		default:
			return false
		}
	})
	b, _ := os.ReadFile(s.log)
	if err := s.process.Err(); err != nil {
		fmt.Sscanf(err.Error(), "exit status %d", &status)
	}
	return status, string(b)
}

// waitingFor is a part of the log line of a start that waits.
func waitingFor(name string) string {
	if strings.Contains(name, " ") {
		name = strconv.Quote(name)
	}
	return `msg="waiting at start" for=` + name
}

func TestStartWithout(t *testing.T) {
	t.Parallel()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][]string{
		"object store": objectStore(&s3test.Server{Endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), AccessKey: "a",
			SecretKey: "b", Region: "us-east-1"}),
		"database": postgres(&pgtest.Server{Host: "127.0.0.1", Port: port, User: "a", Password: "b", Database: "c"}),
	} {
		status, log := newServer(t, append(env, "START_TIMEOUT=2s")...).ends()
		if status != 1 || !strings.Contains(log, waitingFor(name)) {
			t.Errorf("without the %s: status %d\n%s", name, status, log)
		}
	}
}

// START_TIMEOUT limits the wait for a database that does not answer. A migration may take longer, here because another
// replica migrates.
func TestStartWaitsForMigrations(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	conn, err := pgx.Connect(t.Context(), pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	migrating := func(does string) {
		if _, err := conn.Exec(t.Context(), `select `+does+`($1)`, lock.DefaultLockID); err != nil {
			t.Fatal(err)
		}
	}
	migrating("pg_advisory_lock")
	const limit = 5 * time.Second // in which a busy machine, too, connects
	s := newServer(t, append(postgres(pg), "START_TIMEOUT="+limit.String())...)
	s.begin()
	waits := func() (n int) {
		if err := conn.QueryRow(t.Context(),
			`select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like
			'%advisory%'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.eventually("it asks for the lock", func() bool { return waits() > 0 })
	time.Sleep(2 * limit)
	migrating("pg_advisory_unlock")
	s.eventually("it serves", func() bool {
		select {
		case <-s.process.Done():
			t.Fatalf("it ended: %v\n%s", s.process.Err(), testproc.LogTail(s.log))
		default:
		}
		a, err := s.ask("GET", "/files/healthz", nil)
		return err == nil && a.status == 200
	})
	s.stop()
}

// If MEMORY_BUDGET is too small for the parts of the largest file, the service does not start.
func TestTooLittleMemory(t *testing.T) {
	s := newServer(t, "MAX_FILE_SIZE=1099511627776", "MEMORY_BUDGET=200000000")
	status, log := s.ends()
	if _, err := os.Stat(s.data); status != 2 || !os.IsNotExist(err) ||
		!strings.Contains(log, "MEMORY_BUDGET must be at least 246415360") {
		t.Errorf("status %d, data folder: %v\n%s", status, err, log)
	}
}

// Uploads that were begun with longer parts can be continued when the memory is smaller than one of those parts, and
// other uploads do not wait for them: neither now, nor after the next start.
func TestLoweredMemory(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1099511627776")
	body := random(30 * mebi)
	begun := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	if a := s.patch(t, begun, 0, body); a.status != 204 {
		t.Fatal(a)
	}
	s.stop()
	s.env = append(s.env, "MAX_FILE_SIZE="+strconv.Itoa(100*mebi), "MEMORY_BUDGET="+strconv.Itoa(17*mebi))
	s.restart()
	others := func() {
		t.Helper()
		url, _ := s.upload(t, []byte("abc"))
		s.holds(t, url, []byte("abc"))
	}
	others()
	more := random(20 * mebi)
	if a := s.patch(t, begun, len(body), more[:len(more)-1]); a.status != 204 {
		t.Fatal(a)
	}
	others()
	all := append(body, more...)
	a := s.patch(t, begun, len(all)-1, more[len(more)-1:], "Upload-Length: "+strconv.Itoa(len(all)))
	if a.status != 204 || a.header.Get("Content-Location") == "" {
		t.Fatal(a)
	}
	s.holds(t, a.header.Get("Content-Location"), all)
	s.stop()
	s.restart()
	others()
	s.stop()
}

func TestWrongSettings(t *testing.T) {
	s := newServer(t, "PORT=x", "MAX_FILE_SIZE=-1", "STORAGE_TYPE=ftp", "CONFIG=Live", "READ_TIMEOUT=soon",
		"PUBLIC_URL=ftp://x")
	status, log := s.ends()
	for _, name := range []string{"PORT", "MAX_FILE_SIZE", "STORAGE_TYPE", "CONFIG", "READ_TIMEOUT", "PUBLIC_URL"} {
		if !strings.Contains(log, "\n  "+name+" ") {
			t.Errorf("%s is not named:\n%s", name, log)
		}
	}
	if _, err := os.Stat(s.data); status != 2 || !os.IsNotExist(err) {
		t.Errorf("status %d, data folder: %v", status, err)
	}
}

func TestSameData(t *testing.T) {
	s := start(t)
	url, _ := s.upload(t, []byte("0123456789"))
	if status, log := newServer(t, "DATA_DIR="+s.data).ends(); status != 1 || !strings.Contains(log, s.data) {
		t.Errorf("a second process: status %d\n%s", status, log)
	}
	s.holds(t, url, []byte("0123456789"))
	path := filepath.Join(s.data, "dev-token")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("dev-token: %v %v", info, err)
	}
	if b, _ := os.ReadFile(path); strings.TrimSpace(string(b)) != s.token {
		t.Errorf("dev-token holds %q, the token is %q", b, s.token)
	}
	before := s.token
	s.stop()
	s.restart()
	if s.token != before {
		t.Errorf("the token was %q and is %q", before, s.token)
	}
	s.holds(t, url, []byte("0123456789"))
	s.stop()
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	s, seen := onDisk(t, "24m")
	content := random(6 * mebi)
	at := s.create(t, len(content))
	if a := s.patch(t, at, 0, content[:mebi]); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	ballast := filepath.Join(seen, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // until nothing is left
		_, err = f.Write(make([]byte, 64<<10))
	}
	f.Close()
	a := s.patch(t, at, mebi, content[mebi:])
	if (a.status != 507 && a.status != 503) || a.code() == "" || a.header.Get("Retry-After") == "" {
		t.Errorf("with the disk full: %v", a)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.goesOn(t, at, mebi, content)
	s.stop()
}
