package tus

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/db"
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/testproc"
	"holdfast/problem"
	"holdfast/storage"
	"holdfast/storage/disk"
)

// store is the one embedded S3 of this process.
var s3 struct {
	*disk.Store
	dir string
}

func TestMain(m *testing.M) {
	folder, err := testproc.NewFolder("holdfast-tus") // gigabytes, which go even if this process is killed
	if err != nil {
		panic(err)
	}
	s3.dir = folder.Path
	if s3.Store, err = disk.Open(context.Background(), s3.dir, false); err != nil {
		panic(err)
	}
	status := m.Run()
	s3.Close()
	folder.Remove()
	os.Exit(status)
}

// partSize is the smallest that S3 takes, so that little data makes several parts.
const partSize = 5 << 20

const maxSize = 64 << 20

var alice = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}

// smallParts creates uploads that are planned with parts of w.planned bytes.
type smallParts struct {
	*db.DB
	w *world
}

func (s smallParts) CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error {
	u.PartSize = s.w.planned
	return s.DB.CreateUpload(ctx, u, holder, lease)
}

// world is a database, the store, and a service over them that can be replaced under
// the same URL, as by a restart.
type world struct {
	t        *testing.T
	rows     *db.DB
	raw      *sql.DB
	layout   storage.Layout
	url      string
	client   *http.Client
	memory   int64   // of the engines; 0 for the default
	planned  int64   // part size
	objects  Objects // the store, as the engines see it
	maxSize  int64
	leaseTTL time.Duration
	scan     func(context.Context, *file.Upload) error // nil: nothing is scanned
	who      atomic.Pointer[file.Identity]
	serve    atomic.Pointer[http.Handler]
}

// worlds runs a test on each kind of database, at once.
func worlds(t *testing.T, test func(w *world)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "db")
		rows, err := db.OpenSQLite(t.Context(), path)
		build(t, rows, err, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)", test)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.New(t)
		rows, err := db.OpenPostgres(t.Context(), dsn)
		build(t, rows, err, "pgx", dsn, test)
	})
}

func build(t *testing.T, rows *db.DB, err error, driver, dsn string, test func(w *world)) {
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rows: rows, raw: raw, layout: storage.Layout{BucketPrefix: "w" + string(file.NewID())[:8]}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.serve.Load()).ServeHTTP(rw, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // which has the panics that a test wants
	server.Start()
	t.Cleanup(func() { server.Close(); raw.Close(); rows.Close() })
	w.url, w.client, w.objects = server.URL, server.Client(), s3.Client
	w.maxSize, w.leaseTTL, w.planned = maxSize, 5*time.Second, partSize
	w.who.Store(&alice)
	w.start(newPlan(none, 0))
	test(w)
}

// start puts a fresh service in the place of the one before. It returns its engine.
func (w *world) start(p *plan) *Engine {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	life := hooks.New(smallParts{w.rows, w}, hooks.Settings{Layout: w.layout, MaxSize: w.maxSize, TTL: time.Hour, Now: time.Now, Scan: w.scan})
	engine := NewEngine(rowsUnderFault{w.rows, p}, objectsUnderFault{w.objects, p}, finisherUnderFault{life, p},
		Settings{LeaseTTL: w.leaseTTL, Memory: w.memory}, quiet)
	h, err := NewHandler(Options{
		Engine: engine, Hooks: life, Respond: problem.Responder{Log: quiet}, Base: w.url + "/files", ReadTimeout: time.Minute,
		Identify: func(*http.Request) (file.Identity, error) { return *w.who.Load(), nil },
		Download: func(http.ResponseWriter, *http.Request, file.ID) { panic("not in this test") },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var handler http.Handler = http.StripPrefix("/files/tus", h)
	w.serve.Store(&handler)
	return engine
}

// expireLeases does what time would: the holders are dead, or as good as dead.
func (w *world) expireLeases() {
	if _, err := w.raw.Exec("update uploads set lease_until = 0"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) send(ctx context.Context, method, url string, body io.Reader, header ...string) (int, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header, nil
}

func (w *world) create(size int) string {
	w.t.Helper()
	status, h, err := w.send(w.t.Context(), "POST", w.url+"/files/tus/", nil, "Upload-Length", strconv.Itoa(size))
	if err != nil || status != http.StatusCreated {
		w.t.Fatal(status, err)
	}
	return h.Get("Location")
}

// head asks for the offset until the service answers. Whoever had the upload has ended, or
// is left behind: his lease, if a fault kept him from giving it back, is waited for by
// nobody.
func (w *world) head(url string) int64 {
	w.t.Helper()
	for range 50 {
		w.expireLeases()
		status, h, err := w.send(w.t.Context(), "HEAD", url, nil)
		if err == nil && status == http.StatusOK {
			n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
		if err == nil && status < 500 && status != http.StatusConflict {
			w.t.Errorf("HEAD: %d", status)
			return -1
		}
	}
	return -1 // of an engine that died: the caller goes on with another
}

func (w *world) patch(ctx context.Context, url string, offset int64, b []byte, header ...string) (int, http.Header, error) {
	return w.send(ctx, "PATCH", url, bytes.NewReader(b), append(header, "Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", octets)...)
}

// inUse is what is held of clients' bytes, without those that are only remembered.
func (m *memory) inUse() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.used
	for e := m.keeping.Front(); e != nil; e = e.Next() {
		n -= e.Value.(*keptTail).body.held
	}
	return n
}

func content(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func idOf(url string) file.ID { return file.ID(url[strings.LastIndexByte(url, '/')+1:]) }

// check looks at all that must hold of a finished upload.
func (w *world) check(url string, want []byte) {
	w.t.Helper()
	id, ctx := idOf(url), w.t.Context()
	rec, err := w.rows.File(ctx, id)
	if err != nil {
		w.t.Fatalf("no record: %v", err)
	}
	sum := sha256.Sum256(want)
	if rec.Size != int64(len(want)) || !bytes.Equal(rec.SHA256, sum[:]) {
		w.t.Fatalf("record of %d bytes with SHA-256 %x, want %d with %x", rec.Size, rec.SHA256, len(want), sum)
	}
	body, err := s3.Open(ctx, rec.Location, rec.ETag, 0, rec.Size)
	if err != nil {
		w.t.Fatalf("the object: %v", err)
	}
	defer body.Close()
	got := bytes.NewBuffer(make([]byte, 0, len(want)+bytes.MinRead)) // io.ReadAll would copy it five times
	if _, err := got.ReadFrom(body); err != nil || !bytes.Equal(got.Bytes(), want) {
		w.t.Fatalf("other bytes came back (%v)", err)
	}
	u, err := w.rows.UploadRow(ctx, id)
	if err != nil || u.State != file.Recorded || u.Offset != rec.Size || w.count("upload_tails", id) != 0 {
		w.t.Fatalf("%+v %v", u, err)
	}
	parts, err := w.rows.Parts(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var end int64
	var number int32
	for _, p := range parts {
		if p.Offset != end || p.Number <= number {
			w.t.Fatalf("parts with a hole or a number used twice: %+v", parts)
		}
		end, number = end+p.Size, p.Number
	}
	w.traceable(id)
}

// makeRoom removes the object of a file that was looked at: thousands of scenes would fill a disk.
func (w *world) makeRoom(url string) {
	w.t.Helper()
	rec, err := w.rows.File(w.t.Context(), idOf(url))
	if err = errors.Join(err, s3.Delete(w.t.Context(), rec.Location), s3.Delete(w.t.Context(), w.layout.Object(1, idOf(url)))); err != nil {
		w.t.Error(err)
	}
}

// count counts the rows of a table that belong to an upload.
func (w *world) count(table string, id file.ID) (n int) {
	w.t.Helper()
	if err := w.raw.QueryRow("select count(*) from "+table+" where upload_id = $1", string(id)).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// inStore counts the objects and multipart uploads whose path has the id in it.
func (w *world) inStore(id string) (n int) {
	w.t.Helper()
	err := filepath.WalkDir(filepath.Join(s3.dir, "objects", w.layout.Object(1, "").Bucket), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.Contains(path, id) || strings.Contains(path, ".sgwtmp/multipart")) {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no bucket yet
		w.t.Fatal(err)
	}
	return n
}

// lives says whether there is an upload, as opposed to what is kept for a while of a deleted one.
func (w *world) lives(id file.ID) bool {
	w.t.Helper()
	u, err := w.rows.UploadRow(w.t.Context(), id)
	if err != nil && !errors.Is(err, file.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil && u.State != file.Deleted
}

// traceable looks whether everything in the store leads back to the upload by its key.
func (w *world) traceable(id file.ID) {
	w.t.Helper()
	root := filepath.Join(s3.dir, "objects", w.layout.Object(1, "").Bucket)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".sgwtmp" { // multipart uploads, under the hash of their key
			return fs.SkipDir
		}
		if key, _ := filepath.Rel(root, path); !d.IsDir() {
			owner, _, err := storage.Owner(key)
			if err == nil && owner != id {
				_, err = w.rows.UploadRow(w.t.Context(), owner)
			}
			if err != nil {
				w.t.Errorf("%s belongs to no row: %v", key, err)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
}
