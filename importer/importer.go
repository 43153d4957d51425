// Package importer brings files over from another store: records that another program wrote
// for objects which lie where they belong already (Heal), and what a manifest names in another
// S3, behind URLs or in a folder (Copy). Links rewrites the old links in texts.
//
// Every file is checked by the SHA-256 of what the store gives back. What is done is noted in
// SQL file by file, so an import that was cut short goes on where it was, and one that is run
// again does nothing twice. The id of a file follows from its source and account: every run
// gives it the same one.
//
// # Errors
//
// What fails of single files is reported and counted, and the rest goes on. Run ends with
// file.ErrUnavailable when SQL does not answer, and with a Faults when the manifest is wrong:
// then nothing was begun.
package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/internal/chore"
	"holdfast/storage"
)

// Rows is what is needed of SQL. Package db says what each method does.
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

// Reading is a store that files come from.
type Reading interface {
	Stat(ctx context.Context, at file.Location) (storage.Object, error)
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
}

// Objects is the store that files go to.
type Objects interface {
	Reading
	Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64) (etag string, err error)
	Copy(ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string) error
	BeginMultipart(ctx context.Context, at file.Location, contentType string, copies bool) (file.Multipart, error)
	PutPart(ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker,
		size int64) (file.Part, error)
	Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error
	Delete(ctx context.Context, at file.Location) error
	Abort(ctx context.Context, at file.Location, uploadID string) error
	Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Left, error)
}

// Outcome is what became of one file.
type Outcome string

const (
	Copied  Outcome = "copied"
	Healed  Outcome = "healed"
	There   Outcome = "already there"
	Deleted Outcome = "deleted since" // it was a file, somebody deleted it, and it stays so without Again
	Failed  Outcome = "failed"
	Would   Outcome = "would be done" // with DryRun
)

// Result is one file's.
type Result struct {
	Outcome Outcome
	Source  string
	ID      file.ID
	Bytes   int64
	Err     error // with Failed
}

// Importer brings files over.
type Importer struct {
	Rows    Rows
	Objects Objects
	Layout  storage.Layout
	// From is the S3 that sources of the form s3://bucket/key lie in; nil: they lie in Objects,
	// which then copies them by itself.
	From Reading
	// Folder is where sources without a scheme lie.
	Folder string
	Jobs   int // files at the same time
	DryRun bool
	// Again brings files back that were imported before and deleted since.
	Again bool
	Now   func() time.Time
	// Report is called for each file, from one goroutine at a time.
	Report func(Result)
	// Begin is told how many files there will be.
	Begin func(total int64)

	Counts map[Outcome]int64 // after a run

	mu   sync.Mutex
	busy map[file.ID]bool // what is on its way
}

const (
	choreTTL = 10 * time.Second
	page     = 500
)

// alone runs do while no other import runs, waiting for one that does: two would write the same objects.
func (im *Importer) alone(ctx context.Context, do func(context.Context) error) error {
	im.Counts, im.busy = make(map[Outcome]int64), make(map[file.ID]bool)
	if im.DryRun {
		return do(ctx)
	}
	return chore.New(im.Rows, "import", choreTTL).Alone(ctx, do)
}

// group runs one function for each file, several at a time, and ends with the first error that
// is not a single file's.
func (im *Importer) group(ctx context.Context) (*errgroup.Group, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(im.Jobs, 1))
	return g, ctx
}

// tell counts and reports a result.
func (im *Importer) tell(r Result) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.Counts[r.Outcome]++
	if im.Report != nil {
		im.Report(r)
	}
}

// enter takes an id for the work on it, and leave gives it back: a manifest may name one source
// twice, and both at the same time would spoil each other's object.
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

// begin says how many files there will be.
func (im *Importer) begin(total int64) {
	if im.Begin != nil {
		im.Begin(total)
	}
}

// fatal reports whether an error is not this file's: SQL does not answer, or all is to end.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, file.ErrDatabase)
}

// hash reads an object back.
func hash(ctx context.Context, from Reading, at file.Location, o storage.Object) ([]byte, error) {
	body, err := from.Open(ctx, at, o.ETag, 0, o.Size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := sha256.New()
	if n, err := io.Copy(h, body); err != nil {
		return nil, err
	} else if n != o.Size {
		return nil, fmt.Errorf("%w: %d of %d bytes came", file.ErrStorageRead, n, o.Size)
	}
	return h.Sum(nil), nil
}
