// Package uploadtest gives tests a real upload service in their own process: a database of each kind, the embedded
// store, the engine and the tus endpoint over them. Every call of the engine can be made to fail.
package uploadtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	"holdfast/reqbody"
	"holdfast/resumable"
	"holdfast/storage"
	"holdfast/storage/disk"
	"holdfast/tus"
	"holdfast/upload"
)

// shared is the store of all worlds.
var shared struct {
	*disk.Store
	dir string
}

// Main runs a package's tests with the store. Call it from TestMain.
func Main(m *testing.M) {
	folder, err := testproc.NewFolder("holdfast-upload") // gigabytes, removed even if this process is killed
	if err != nil {
		panic(err)
	}
	shared.dir = folder.Path
	if shared.Store, err = disk.Open(context.Background(), shared.dir, disk.Options{NoFlush: true}); err != nil {
		panic(err)
	}
	status := m.Run()
	shared.Close()
	folder.Remove()
	os.Exit(status)
}

// Store returns the store, without the faults of the engines' plans.
func Store() *disk.Store { return shared.Store }

// PartSize is the smallest that S3 accepts, so that little data makes several parts.
const PartSize = 5 << 20

// MaxSize is the size cap, in bytes.
const MaxSize = 64 << 20

// Octets is the Content-Type of PATCH requests.
const Octets = "application/offset+octet-stream"

// Alice sends all requests, unless As sets another identity.
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

// World is a database, the store, and a service over them that can be replaced under the same URL, as a restart
// does.
type World struct {
	T          *testing.T
	Rows       *db.DB
	Raw        *sql.DB // the same database, for queries that Rows has no method for
	Layout     storage.Layout
	URL        string
	Client     *http.Client
	Memory     int64                // of the engines, in bytes; 0 for the default
	MemoryWait time.Duration        // 0 for the default
	Moment     time.Duration        // how old the identity of a request may be
	Planned    int64                // part size, in bytes
	Objects    upload.Objects       // the store as the engines see it
	Parts      storage.PartReceiver // if set, clients send parts to it themselves
	URLTTL     time.Duration        // of the URLs for that; 0: a minute
	Wait       time.Duration        // for a completion; 0: direct's own
	MaxSize    int64
	LeaseTTL   time.Duration
	Scan       func(context.Context, *file.Upload) error // nil: nothing is scanned
	Identify   atomic.Pointer[error]                     // if set, every caller is unknown: this is the error
	who        atomic.Pointer[file.Identity]
	serve      atomic.Pointer[http.Handler]
}

// Worlds runs a test on each kind of database, in parallel.
func Worlds(t *testing.T, test func(*World)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "db")
		image, err := migratedSQLite()
		if err == nil {
			err = os.WriteFile(path, image, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.OpenSQLite(t.Context(), path)
		build(t, rows, err, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)", test)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		dsn := migratedPostgres.New(t)
		rows, err := db.OpenPostgres(t.Context(), dsn)
		build(t, rows, err, "pgx", dsn, test)
	})
}

// The databases of worlds are copies of two that were migrated: that is faster than to migrate each.
var (
	migratedPostgres = pgtest.Template{Fill: func(dsn string) error {
		rows, err := db.OpenPostgres(context.Background(), dsn)
		if err != nil {
			return err
		}
		return rows.Close()
	}}
	migratedSQLite = sync.OnceValues(func() (image []byte, err error) {
		folder, err := testproc.NewFolder("holdfast-migrated")
		if err != nil {
			return nil, err
		}
		defer folder.Remove()
		path := filepath.Join(folder.Path, "db")
		rows, err := db.OpenSQLite(context.Background(), path)
		if err != nil {
			return nil, err
		}
		if err := rows.Close(); err != nil { // writes everything into the one file
			return nil, err
		}
		return os.ReadFile(path)
	})
)

func build(t *testing.T, rows *db.DB, err error, driver, dsn string, test func(*World)) {
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{T: t, Rows: rows, Raw: raw, Layout: NewLayout()}
	server := httptest.NewUnstartedServer(reqbody.AnswerEarly(http.HandlerFunc(func(rw http.ResponseWriter,
		r *http.Request) {
		(*w.serve.Load()).ServeHTTP(rw, r)
	})))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // drops the log of panics, which tests cause on purpose
	server.Start()
	t.Cleanup(func() { server.Close(); raw.Close(); rows.Close() })
	w.URL, w.Client, w.Objects = server.URL, server.Client(), shared.Store
	w.MaxSize, w.LeaseTTL, w.Planned = MaxSize, upload.DefaultLeaseTTL, PartSize
	w.who.Store(&Alice)
	w.Start()
	test(w)
}

// NewLayout returns a layout of buckets that nothing else uses.
func NewLayout() storage.Layout { return storage.Layout{BucketPrefix: "w" + string(file.NewID())[:8]} }

// readTimeout is longer than the slowest machine needs: clients of these tests pause until others are done.
const readTimeout = 10 * time.Minute

// Start replaces the service by a fresh one, and returns its engine.
func (w *World) Start() *upload.Engine { return w.StartUnder(NewPlan(None, 0)) }

// StartUnder is Start for a service whose calls to SQL and the store meet the plan's fault.
func (w *World) StartUnder(p *Plan) *upload.Engine {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	life := hooks.New(smallParts{w.Rows, w}, hooks.Settings{Layout: w.Layout, MaxSize: w.MaxSize, TTL: time.Hour,
		Now: time.Now, Moment: w.Moment, Scan: w.Scan})
	engine := upload.NewEngine(rowsUnderFault{w.Rows, p}, objectsUnderFault{w.Objects, p}, hooksUnderFault{life, p},
		upload.Settings{LeaseTTL: w.LeaseTTL, Memory: w.Memory, MemoryWait: w.MemoryWait}, quiet)
	h, err := tus.NewHandler(tus.Options{
		Engine: engine, Respond: problem.Responder{Log: quiet}, Base: func(*http.Request) string { return w.URL + "/files" },
		ReadTimeout:  readTimeout,
		Identify:     w.identify,
		Download:     func(http.ResponseWriter, *http.Request, file.ID) { panic("not in this test") },
		Precondition: func(*http.Request, file.ID) error { return nil },
		Limits:       (*limit.Limits)(nil),
		Interim:      limit.Interim(0),
		ThroughProxy: limit.ThroughProxy,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	handler := w.mount(engine, h, quiet)
	w.serve.Store(&handler)
	return engine
}

func (w *World) identify(*http.Request) (file.Identity, error) {
	if fail := w.Identify.Load(); fail != nil {
		return file.Identity{}, *fail
	}
	return *w.who.Load(), nil
}

// mount puts the handlers of both protocols under the paths that the service has for them.
func (w *World) mount(engine *upload.Engine, byTus http.Handler, quiet *slog.Logger) http.Handler {
	h := resumable.New(resumable.Options{
		Engine: engine, Respond: problem.Responder{Log: quiet}, Tus: byTus,
		Base:        func(*http.Request) string { return w.URL + "/files" },
		ReadTimeout: readTimeout, MaxAge: time.Hour,
		Identify:     w.identify,
		Download:     func(rw http.ResponseWriter, _ *http.Request, _ file.ID) { rw.WriteHeader(http.StatusTeapot) },
		IsFile:       func(context.Context, file.ID) bool { return false },
		Precondition: func(*http.Request, file.ID) error { return nil },
		Limit:        (*limit.Limits)(nil).Upload,
		Interim:      limit.Interim(0),
	})
	mux := http.NewServeMux()
	mux.Handle("/files/tus/", http.StripPrefix("/files/tus", h))
	create := func(rw http.ResponseWriter, r *http.Request) { h.Create(rw, r, r.PathValue("name")) }
	mux.HandleFunc("POST /files/upload", create)
	mux.HandleFunc("PUT /files/{name}", create)
	mux.HandleFunc("OPTIONS /files/upload", h.Discover)
	w.mountDirect(mux, engine, quiet)
	return mux
}

// ExpireLeases makes all leases expire, as time would: their holders are dead, or count as dead.
func (w *World) ExpireLeases() {
	if _, err := w.Raw.Exec("update uploads set lease_until = 0 where lease_until <> 0"); err != nil {
		w.T.Fatal(err)
	}
}

func (w *World) Send(ctx context.Context, method, url string, body io.Reader, header ...string) (int, http.Header,
	error) {
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

func (w *World) Patch(ctx context.Context, url string, offset int64, b []byte, header ...string) (int, http.Header,
	error) {
	return w.Send(ctx, "PATCH", url, bytes.NewReader(b), append(header, "Upload-Offset", strconv.FormatInt(offset, 10),
		"Content-Type", Octets)...)
}

func Content(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func ID(url string) file.ID { return file.ID(url[strings.LastIndexByte(url, '/')+1:]) }

// Sub runs a subtest in this world.
func (w *World) Sub(name string, test func()) {
	outer := w.T
	outer.Run(name, func(t *testing.T) {
		w.T = t
		defer func() { w.T = outer }()
		test()
	})
}

func (w *World) Final(urls []string, header ...string) (int, http.Header, error) {
	return w.Send(context.Background(), "POST", w.URL+"/files/tus/", nil, append(header, "Upload-Concat",
		"final;"+strings.Join(urls, " "))...)
}

// Trickle is a body that arrives in pieces of a few bytes.
type Trickle struct {
	io.Reader
	Piece int
}

func (r Trickle) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.Piece)]) }
