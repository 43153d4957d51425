// Package importer imports files: it completes records that another program wrote for objects that are in place
// already (Heal), and copies what a manifest names in another S3, behind URLs or in a folder (Copy). Links rewrites
// old links in texts.
//
// Every file is verified by the SHA-256 of what the store returns. Progress is recorded in the database for each
// file, so an interrupted import continues where it was, and one that is run again does nothing twice. The id of a
// file is derived from its source and account, so every run gives it the same one.
//
// # Errors
//
// Errors of single files are reported and counted, and the import continues. It ends with file.ErrUnavailable if
// the database does not answer, and with Faults if the manifest is wrong; then nothing was changed.
package importer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/internal/chore"
	"holdfast/storage"
)

// Rows is the database. Package db documents the methods.
type Rows interface {
	Unhealed(ctx context.Context, after file.ID, limit int) ([]file.Record, error)
	CountUnhealed(ctx context.Context) (int64, error)
	HealRecord(ctx context.Context, r file.Record) error
	File(ctx context.Context, id file.ID) (file.Record, error)
	Importing(ctx context.Context, id file.ID) (bool, error)
	DeletedSince(ctx context.Context, id file.ID) (bool, error)
	RepeatImport(ctx context.Context, source string, accountID int64, id file.ID) error
	BeginImport(ctx context.Context, source string, accountID int64, id file.ID) (as file.ID, done bool, err error)
	TryImport(ctx context.Context, source string, accountID int64) (attempt int64, err error)
	FinishImport(ctx context.Context, source string, r file.Record) error
	FailImport(ctx context.Context, source string, accountID int64, reason string) error
	chore.Rows
}

// Reading is a store that files are imported from.
type Reading interface {
	Stat(ctx context.Context, at file.Location) (storage.Object, error)
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
}

// Objects is the store that files are imported into. If it does not copy, Copy is storage.ErrNoCopy.
type Objects interface {
	storage.Store
	storage.Copier
}

// Outcome is the result of one file.
type Outcome string

const (
	Copied  Outcome = "copied"
	Healed  Outcome = "healed"
	There   Outcome = "already there"
	Deleted Outcome = "deleted since" // it was imported and deleted since; Again imports it once more
	Failed  Outcome = "failed"
	Would   Outcome = "would be done" // with DryRun
)

// Result describes one file.
type Result struct {
	Outcome Outcome
	Source  string
	ID      file.ID
	Bytes   int64
	Err     error // with Failed
}

// Importer imports files.
type Importer struct {
	Rows    Rows
	Objects Objects
	Layout  storage.Layout
	// From is the store of sources of the form s3://bucket/key; nil: it is Objects, which then copies them itself.
	From Reading
	// Proxy is the HTTP proxy for sources that are URLs; nil: none.
	Proxy func(*url.URL) (*url.URL, error)
	// Patience is how long a source that is a URL may send nothing; 0: DefaultPatience.
	Patience time.Duration
	// Reserved reports the ids that no file may have: those whose addresses are the service's own.
	Reserved func(file.ID) bool
	// Folder is the folder of sources without a scheme.
	Folder string
	Jobs   int // files at the same time
	DryRun bool
	// Again imports files once more that were deleted since they were imported.
	Again bool
	Now   func() time.Time
	// Report is called for each file, from one goroutine at a time.
	Report func(Result)
	// Begin is called with the number of files.
	Begin func(total int64)

	Counts map[Outcome]int64 // after a run

	mu   sync.Mutex
	http *http.Client     // for sources that are URLs; nil: not needed yet
	busy map[file.ID]bool // files that are being imported
}

const (
	choreTTL = 10 * time.Second
	page     = 500
)

// alone runs do while no other import runs, and waits for one that does: two would write the same objects.
func (im *Importer) alone(ctx context.Context, do func(context.Context) error) error {
	im.Counts, im.busy = make(map[Outcome]int64), make(map[file.ID]bool)
	if im.DryRun {
		return do(ctx)
	}
	return chore.New(im.Rows, "import", choreTTL).Alone(ctx, do)
}

// group runs one function for each file, several at a time. It ends with the first error that does not concern a single
// file.
func (im *Importer) group(ctx context.Context) (*errgroup.Group, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(im.Jobs, 1))
	return g, ctx
}

// report counts and reports a result.
func (im *Importer) report(r Result) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.Counts[r.Outcome]++
	if im.Report != nil {
		im.Report(r)
	}
}

// enter reserves an id until leave: a manifest may name a source twice, and two goroutines must not write one object.
func (im *Importer) enter(id file.ID) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.busy[id] {
		return file.Refuse(file.ErrConflict, "the manifest names it twice")
	}
	im.busy[id] = true
	return nil
}

func (im *Importer) leave(id file.ID) {
	im.mu.Lock()
	defer im.mu.Unlock()
	delete(im.busy, id)
}

// begin reports the number of files.
func (im *Importer) begin(total int64) {
	if im.Begin != nil {
		im.Begin(total)
	}
}

// fatal reports whether an error ends the import: the database does not answer, or the context has ended.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, file.ErrDatabase)
}
