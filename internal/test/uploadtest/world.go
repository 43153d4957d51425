// Package uploadtest gives tests a real service for uploads in their own process: a database of each
// kind, the embedded store, the engine and the tus endpoint over them. Each call that the engine
// makes can be made to fail.
package uploadtest

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
	"holdfast/limit"
	"holdfast/problem"
	"holdfast/storage"
	"holdfast/storage/disk"
	"holdfast/tus"
	"holdfast/upload"
)

// s3 is the one embedded store of this process.
var s3 struct {
	*disk.Store
	dir string
}

// Main runs a package's tests with the store. TestMain calls it.
func Main(m *testing.M) {
	folder, err := testproc.NewFolder("holdfast-upload") // gigabytes, which go even if this process is killed
	if err != nil {
		panic(err)
	}
	s3.dir = folder.Path
	if s3.Store, err = disk.Open(context.Background(), s3.dir, disk.Options{NoFlush: true}); err != nil {
		panic(err)
	}
	status := m.Run()
	s3.Close()
	folder.Remove()
	os.Exit(status)
}

// Store is the store, past the engines.
func Store() *disk.Store { return s3.Store }

// PartSize is the smallest that S3 takes, so that little data makes several parts.
const PartSize = 5 << 20

// MaxSize is the cap, in bytes.
const MaxSize = 64 << 20

// Octets is the Content-Type of bytes for an upload.
const Octets = "application/offset+octet-stream"

// Alice sends all requests, unless As says somebody else.
var Alice = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}

// smallParts creates uploads that are planned with parts of w.Planned bytes.
type smallParts struct {
	*db.DB
	w *World
}

func (s smallParts) CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error {
	u.PartSize = s.w.Planned
	return s.DB.CreateUpload(ctx, u, holder, lease)
}

// World is a database, the store, and a service over them that can be replaced under
// the same URL, as by a restart.
type World struct {
	T          *testing.T
	Rows       *db.DB
	Raw        *sql.DB // the same database, for what no method of Rows does
	Layout     storage.Layout
	URL        string
	Client     *http.Client
	Memory     int64          // of the engines, in bytes; 0 for the default
	MemoryWait time.Duration  // 0 for the default
	Planned    int64          // part size, in bytes
	Objects    upload.Objects // the store, as the engines see it
	MaxSize    int64
	LeaseTTL   time.Duration
	Scan       func(context.Context, *file.Upload) error // nil: nothing is scanned
	who        atomic.Pointer[file.Identity]
	serve      atomic.Pointer[http.Handler]
}

// Worlds runs a test on each kind of database, at once.
func Worlds(t *testing.T, test func(*World)) {
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

func build(t *testing.T, rows *db.DB, err error, driver, dsn string, test func(*World)) {
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{T: t, Rows: rows, Raw: raw, Layout: storage.Layout{BucketPrefix: "w" + string(file.NewID())[:8]}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.serve.Load()).ServeHTTP(rw, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // which has the panics that a test wants
	server.Start()
	t.Cleanup(func() { server.Close(); raw.Close(); rows.Close() })
	w.URL, w.Client, w.Objects = server.URL, server.Client(), s3.Client
	w.MaxSize, w.LeaseTTL, w.Planned = MaxSize, upload.DefaultLeaseTTL, PartSize
	w.who.Store(&Alice)
	w.Start()
	test(w)
}

// Start puts a fresh service in the place of the one before. It returns its engine.
func (w *World) Start() *upload.Engine { return w.StartUnder(NewPlan(None, 0)) }

// StartUnder is Start for a service whose calls to SQL and the store meet a fault by plan.
func (w *World) StartUnder(p *Plan) *upload.Engine {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	life := hooks.New(smallParts{w.Rows, w}, hooks.Settings{Layout: w.Layout, MaxSize: w.MaxSize, TTL: time.Hour, Now: time.Now, Scan: w.Scan})
	engine := upload.NewEngine(rowsUnderFault{w.Rows, p}, objectsUnderFault{w.Objects, p}, hooksUnderFault{life, p},
		upload.Settings{LeaseTTL: w.LeaseTTL, Memory: w.Memory, MemoryWait: w.MemoryWait}, quiet)
	h, err := tus.NewHandler(tus.Options{
		Engine: engine, Respond: problem.Responder{Log: quiet}, Base: func(*http.Request) string { return w.URL + "/files" }, ReadTimeout: time.Minute,
		Identify:     func(*http.Request) (file.Identity, error) { return *w.who.Load(), nil },
		Download:     func(http.ResponseWriter, *http.Request, file.ID) { panic("not in this test") },
		Precondition: func(*http.Request, file.ID) error { return nil },
		Limits:       (*limit.Limits)(nil),
	})
	if err != nil {
		w.T.Fatal(err)
	}
	handler := http.StripPrefix("/files/tus", h)
	w.serve.Store(&handler)
	return engine
}

// ExpireLeases does what time would: the holders are dead, or as good as dead.
func (w *World) ExpireLeases() {
	if _, err := w.Raw.Exec("update uploads set lease_until = 0"); err != nil {
		w.T.Fatal(err)
	}
}

func (w *World) Send(ctx context.Context, method, url string, body io.Reader, header ...string) (int, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header, nil
}

func (w *World) Create(size int) string {
	w.T.Helper()
	status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Length", strconv.Itoa(size))
	if err != nil || status != http.StatusCreated {
		w.T.Fatal(status, err)
	}
	return h.Get("Location")
}

// Head asks for the offset until the service answers. Whoever had the upload has ended, or
// is left behind: his lease, if a fault kept him from giving it back, is waited for by
// nobody.
func (w *World) Head(url string) int64 {
	w.T.Helper()
	for range 50 {
		w.ExpireLeases()
		status, h, err := w.Send(w.T.Context(), "HEAD", url, nil)
		if err == nil && status == http.StatusOK {
			n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if err != nil {
				w.T.Fatal(err)
			}
			return n
		}
		if err == nil && status < 500 && status != http.StatusConflict {
			w.T.Errorf("HEAD: %d", status)
			return -1
		}
	}
	return -1 // of an engine that died: the caller goes on with another
}

func (w *World) Patch(ctx context.Context, url string, offset int64, b []byte, header ...string) (int, http.Header, error) {
	return w.Send(ctx, "PATCH", url, bytes.NewReader(b), append(header, "Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", Octets)...)
}

func Content(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func ID(url string) file.ID { return file.ID(url[strings.LastIndexByte(url, '/')+1:]) }

// Check looks at all that must hold of a finished upload.
func (w *World) Check(url string, want []byte) {
	w.T.Helper()
	id, ctx := ID(url), w.T.Context()
	rec, err := w.Rows.File(ctx, id)
	if err != nil {
		w.T.Fatalf("no record: %v", err)
	}
	sum := sha256.Sum256(want)
	if rec.Size != int64(len(want)) || !bytes.Equal(rec.SHA256, sum[:]) {
		w.T.Fatalf("record of %d bytes with SHA-256 %x, want %d with %x", rec.Size, rec.SHA256, len(want), sum)
	}
	body, err := s3.Open(ctx, rec.Location, rec.ETag, 0, rec.Size)
	if err != nil {
		w.T.Fatalf("the object: %v", err)
	}
	defer body.Close()
	got := bytes.NewBuffer(make([]byte, 0, len(want)+bytes.MinRead)) // io.ReadAll would copy it five times
	if _, err := got.ReadFrom(body); err != nil || !bytes.Equal(got.Bytes(), want) {
		w.T.Fatalf("other bytes came back (%v)", err)
	}
	u, err := w.Rows.UploadRow(ctx, id)
	if err != nil || u.State != file.Recorded || u.Offset != rec.Size || w.Count("upload_tails", id) != 0 {
		w.T.Fatalf("%+v %v", u, err)
	}
	parts, err := w.Rows.Parts(ctx, id)
	if err != nil {
		w.T.Fatal(err)
	}
	var end int64
	var number int32
	for _, p := range parts {
		if p.Offset != end || p.Number <= number {
			w.T.Fatalf("parts with a hole or a number used twice: %+v", parts)
		}
		end, number = end+p.Size, p.Number
	}
	w.Traceable(id)
}

// MakeRoom removes the object of a file that was looked at: thousands of scenes would fill a disk.
func (w *World) MakeRoom(url string) {
	w.T.Helper()
	rec, err := w.Rows.File(w.T.Context(), ID(url))
	if err = errors.Join(err, s3.Delete(w.T.Context(), rec.Location), s3.Delete(w.T.Context(), w.Layout.Object(1, ID(url)))); err != nil {
		w.T.Error(err)
	}
}

// Count counts the rows of a table that belong to an upload.
func (w *World) Count(table string, id file.ID) (n int) {
	w.T.Helper()
	if err := w.Raw.QueryRow("select count(*) from "+table+" where upload_id = $1", string(id)).Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}

// InStore counts the objects and multipart uploads whose path has the id in it.
func (w *World) InStore(id string) (n int) {
	w.T.Helper()
	err := filepath.WalkDir(filepath.Join(s3.dir, "objects", w.Layout.Object(1, "").Bucket), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.Contains(path, id) || strings.Contains(path, ".sgwtmp/multipart")) {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no bucket yet
		w.T.Fatal(err)
	}
	return n
}

// Lives says whether there is an upload, as opposed to what is kept for a while of a deleted one.
func (w *World) Lives(id file.ID) bool {
	w.T.Helper()
	u, err := w.Rows.UploadRow(w.T.Context(), id)
	if err != nil && !errors.Is(err, file.ErrNotFound) {
		w.T.Fatal(err)
	}
	return err == nil && u.State != file.Deleted
}

// Traceable looks whether everything in the store leads back to the upload by its key.
func (w *World) Traceable(id file.ID) {
	w.T.Helper()
	root := filepath.Join(s3.dir, "objects", w.Layout.Object(1, "").Bucket)
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
				_, err = w.Rows.UploadRow(w.T.Context(), owner)
			}
			if err != nil {
				w.T.Errorf("%s belongs to no row: %v", key, err)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.T.Fatal(err)
	}
}

// Sub runs a subtest in this world.
func (w *World) Sub(name string, test func()) {
	outer := w.T
	outer.Run(name, func(t *testing.T) {
		w.T = t
		defer func() { w.T = outer }()
		test()
	})
}

// Partials uploads each body as a partial upload and returns their URLs.
func (w *World) Partials(bodies ...[]byte) (urls []string) {
	w.T.Helper()
	for _, b := range bodies {
		status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Length", strconv.Itoa(len(b)), "Upload-Concat", "partial")
		if err != nil || status != http.StatusCreated {
			w.T.Fatal(status, err)
		}
		urls = append(urls, h.Get("Location"))
		if len(b) == 0 {
			continue
		}
		if status, _, err := w.Patch(w.T.Context(), urls[len(urls)-1], 0, b); err != nil || status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
	}
	return urls
}

func (w *World) Final(urls []string, header ...string) (int, http.Header, error) {
	return w.Send(context.Background(), "POST", w.URL+"/files/tus/", nil, append(header, "Upload-Concat", "final;"+strings.Join(urls, " "))...)
}

// As lets the next requests come from somebody.
func (w *World) As(who file.Identity) { w.who.Store(&who) }

// Small puts a service in place that takes files of up to n bytes.
func (w *World) Small(n int64) {
	w.MaxSize = n
	w.Start()
}

// Trickle is a body that comes in pieces of a few bytes.
type Trickle struct {
	io.Reader
	Piece int
}

func (r Trickle) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.Piece)]) }
