package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/test/s3test"
	"holdfast/internal/test/testproc"
)

// manySources fills a bucket with 60 objects, every sixth longer than a part, and writes their manifest.
func (s *server) manySources(t *testing.T, other *s3test.Server) (objects map[string][]byte, manifest string) {
	t.Helper()
	objects = map[string][]byte{}
	var lines []string
	for i := range 60 {
		key, size := fmt.Sprintf("dir/%d.bin", i), 1000*i
		if i%6 == 0 {
			size = 9*mebi + i
		}
		objects[key] = random(size)
		lines = append(lines, fmt.Sprintf(`{"account": 1, "user": 1, "source": "s3://acme/%s"}`, key))
	}
	fill(t, other, "acme", objects)
	manifest = filepath.Join(s.folder, "manifest")
	if err := os.WriteFile(manifest, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return objects, manifest
}

// importKilled runs an import, lets it copy a file, and kills it within wait, unless it ends before.
func (b backing) importKilled(t *testing.T, s *server, manifest string, wait time.Duration) (done bool) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.folder, "import.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command("import", "--manifest", manifest)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	// It may have to wait until the lease of the import that was killed has expired.
	before := b.importedOrNone(t)
	s.eventually("it goes on", func() bool {
		select {
		case <-p.Done():
			return true
		default:
			return b.importedOrNone(t) > before
		}
	})
	select {
	case <-p.Done():
	case <-time.After(rand.N(wait)):
		p.Stop(syscall.SIGKILL, time.Minute)
	}
	if p.Err() != nil && !strings.Contains(p.Err().Error(), "killed") {
		t.Fatalf("%v\n%s", p.Err(), testproc.LogTail(log.Name()))
	}
	return p.Err() == nil
}

// An import is killed again and again, and run until it is done: every object once, no file
// twice, all bytes right, and nothing left over.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	other := s3test.Start(t)
	s := newServer(t, append(servers(b.pg, b.s3), from(other)...)...)
	objects, manifest := s.manySources(t, other)
	kills := 0
	for wait := 700 * time.Millisecond; !b.importKilled(t, s, manifest, wait); wait += wait / 2 {
		kills++
	}
	t.Logf("killed %d times", kills)
	if kills == 0 {
		t.Error("it was never killed")
	}
	if n := len(b.objects(t)); n != len(objects) {
		t.Errorf("%d objects, want %d", n, len(objects))
	}
	if m := b.multiparts(t); len(m) != 0 {
		t.Errorf("%d multipart uploads are left", len(m))
	}
	if n := b.number(t, `select count(distinct source) from imports join files using (file_id) where state =
		'done'`); n != len(objects) {
		t.Errorf("%d files, want %d", n, len(objects))
	}
	if found, clean := s.reconcile(t, "--deep"); !clean {
		t.Error(found)
	}
	for key, content := range objects {
		sum := sha256.Sum256(content)
		if n := b.number(t, `select count(*) from imports join files using (file_id) where source = $1 and size = $2 and
			sha256 = $3`, "s3://acme/"+key, len(content), sum[:]); n != 1 {
			t.Errorf("%s is not what it was", key)
		}
	}
}

// importedOrNone counts the sources that were imported; it is 0 while there is no such table.
func (b backing) importedOrNone(t *testing.T) (n int) {
	c, err := pgx.Connect(t.Context(), b.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if c.QueryRow(t.Context(), `select count(*) from imports where state = 'done'`).Scan(&n) != nil {
		return 0
	}
	return n
}
