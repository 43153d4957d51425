// Package upload is the upload engine: it stores the bytes of uploads in the object store, keeps their state in SQL,
// and makes files of them. It knows neither HTTP nor any upload protocol.
//
// An upload is changed through a Session, which holds the lease on it: see Engine.Create and Engine.Take. The Engine
// has only a few other methods.
//
// Invariants:
//
//  1. An offset that was answered never goes back: its bytes are durable in the store and
//     committed in SQL.
//  2. Committed parts are a prefix without gaps; a tail begins where the parts end.
//  3. A part number comes from the row and is used only once.
//  4. Every commit is fenced by lease epoch and offset: a writer that lost its lease
//     changes nothing, even if it does not know that.
//  5. A file is visible if and only if its record is committed, and that happens only
//     after the object is complete and its size was checked.
//  6. Nothing is deleted before its replacement is committed.
//  7. The key of everything in the store leads to a row.
//  8. A write that arrives late never overwrites a recorded object: see objectLocation.
package upload

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/internal/chore"
	"holdfast/storage"
	"holdfast/upload/memory"
)

// Rows is the state of uploads in SQL. Package db documents each method.
type Rows interface {
	UploadRow(ctx context.Context, id file.ID) (*file.Upload, error)
	TakePart(ctx context.Context, f file.Fence, size int64) (int32, error)
	DropMultipart(ctx context.Context, f file.Fence) error
	SetMultipart(ctx context.Context, f file.Fence, key string, m file.Multipart, partSize int64) error
	Commit(ctx context.Context, f file.Fence, p file.Progress) (expires time.Time, err error)
	Parts(ctx context.Context, id file.ID) ([]file.Part, error)
	Final(ctx context.Context, who file.Identity, sources []file.ID) (*file.Upload, error)
	SetClaim(ctx context.Context, f file.Fence, sum []byte) error
	DeclareLength(ctx context.Context, f file.Fence, size int64) error
	Advance(ctx context.Context, f file.Fence, to file.State, etag string) error
	DeleteUpload(ctx context.Context, f file.Fence, why string) error
	Deleted(ctx context.Context, id file.ID) (*file.Upload, error)
	ForgetUpload(ctx context.Context, id file.ID) error
	CutShort(ctx context.Context, after file.ID, limit int) ([]file.ID, error)
	Untidy(ctx context.Context, after file.ID, limit int) ([]file.ID, error)
	Tidied(ctx context.Context, id file.ID) error
	DropOldKeys(ctx context.Context) error
	Extend(ctx context.Context, id file.ID) (expires time.Time, err error)
	WithoutSum(ctx context.Context, after file.ID, limit int) ([]file.ID, error)
	SetSum(ctx context.Context, u *file.Upload, sum []byte) error
	Refusal(ctx context.Context, id file.ID) (reason string, err error)
	chore.Rows
	LeaseRows
}

// Objects is the object store. If it can't copy, CopyPart returns storage.ErrNoCopy.
type Objects interface {
	storage.Store
	storage.Copier
}

// Hooks are called at the beginning and at the end of an upload. Package hooks implements them.
type Hooks interface {
	// PreCreate checks an upload that ctx's identity wants to begin, and writes its row.
	PreCreate(ctx context.Context, c Creation) (file.Upload, error)
	// Confirm refuses what the request that ctx belongs to is about to change, if its caller is not known any more: the
	// request may have taken long. One that completes an upload is asked about also if it did not. It is nil where
	// there is no request.
	Confirm(ctx context.Context, completes bool) error
	// PostFinish makes u, whose object is complete, a file, if its row still matches was. It can be repeated.
	PostFinish(ctx context.Context, was file.Fence, u *file.Upload) error
	// Fits refuses a size over the cap, in bytes.
	Fits(size int64) error
	// MaxSize is the cap, in bytes.
	MaxSize() int64
}

// Settings of an engine. The zero value of each is its default.
type Settings struct {
	// LeaseTTL is how long an upload stays locked after the process that held its lease died; DefaultLeaseTTL if it is
	// 0.
	LeaseTTL time.Duration
	// Memory is the budget for bytes of all requests together, in bytes; DefaultMemory if it is 0. It must have room
	// for two parts: see MemoryFor.
	Memory int64
	// Room returns an error while there is no space for the rows of further bytes; nil: there always is.
	Room func() error
	// MemoryWait is the longest that a request waits for memory; memory.DefaultWait if it is 0.
	MemoryWait time.Duration
}

// DefaultMemory is 256 MiB.
const DefaultMemory = 256 << 20

// MemoryFor returns the least Memory with which parts of a size can be sent, in bytes.
func MemoryFor(partSize int64) int64 { return 2*partSize + 16*memory.LargeSlab }

// MemoryInHeap says that the bytes within Memory are in the garbage collector's heap.
const MemoryInHeap = memory.InHeap

// Engine moves the bytes of uploads. Its methods may be called from several goroutines; the lease serializes those on
// one upload.
type Engine struct {
	rows    Rows
	objects Objects
	hooks   Hooks
	leases  *leases
	memory  *memory.Budget
	metrics *metrics
	room    func() error
	direct  *direct
	log     *slog.Logger

	sweeps *attempts // of uploads that the sweep could not finish or remove
	sums   *attempts // of files whose SHA-256 could not be computed

	background sync.WaitGroup // removals that no request waits for
}

// NewEngine returns an engine.
func NewEngine(rows Rows, objects Objects, hooks Hooks, s Settings, log *slog.Logger) *Engine {
	m := newMetrics()
	waited := func(d time.Duration) { m.memoryWaits.Observe(d.Seconds()) }
	return &Engine{rows: rows, objects: objects, hooks: hooks, log: log, metrics: m, room: s.Room,
		direct: newDirect(), sweeps: newAttempts(), sums: newAttempts(),
		leases: newLeases(rows, cmp.Or(s.LeaseTTL, DefaultLeaseTTL), log, m),
		memory: memory.New(cmp.Or(s.Memory, DefaultMemory), cmp.Or(s.MemoryWait, memory.DefaultWait), waited)}
}

// MaxSize is the cap of files, in bytes.
func (e *Engine) MaxSize() int64 { return e.hooks.MaxSize() }

// Fits refuses a size over the cap, in bytes: file.ErrTooLarge.
func (e *Engine) Fits(size int64) error { return e.hooks.Fits(size) }

// Row returns an upload as it is now, whether or not its lease is held; file.ErrNotFound if there is none, or if it is
// direct: see DirectRow.
func (e *Engine) Row(ctx context.Context, id file.ID) (*file.Upload, error) {
	return e.row(ctx, id, false)
}

// row returns an upload, if it is as direct as expected: no protocol takes over another's.
func (e *Engine) row(ctx context.Context, id file.ID, direct bool) (*file.Upload, error) {
	u, err := e.rows.UploadRow(ctx, id)
	if err == nil && u.Direct != direct {
		return nil, file.NotFound(id)
	}
	if err == nil && u.Held { // the request that sends it puts its expiry off
		u.Expired = false
	}
	return u, err
}

// Run listens for other replicas' requests to release uploads, and sweeps: now, and then every interval, unless
// another replica has just done so. It returns when ctx ends.
func (e *Engine) Run(ctx context.Context, interval time.Duration) {
	var wg sync.WaitGroup
	wg.Go(func() {
		e.rows.Listen(ctx, e.leases.askRelease, func(err error) {
			e.log.Warn("lease requests of other replicas can't be received",
				"error", err)
		})
	})
	wg.Go(func() { e.sumFiles(ctx, interval) })
	chore.New(e.rows, "sweep", interval).Every(ctx, interval, func(ctx context.Context) error {
		err := e.Sweep(ctx)
		e.metrics.swept(ctx, err)
		return err
	}, e.log)
	wg.Wait()
}

// ReleaseLeases asks all running uploads that can be continued elsewhere to commit what they have and to end, because
// the service stops. Uploads that come whole in one request may go on.
func (e *Engine) ReleaseLeases() {
	e.leases.stop()
	e.direct.stop()
}

// Stopping reports whether ReleaseLeases was called.
func (e *Engine) Stopping() bool { return e.leases.isStopping() }

// Wait waits for everything that runs in the background. Sums of files are computed by the next process.
func (e *Engine) Wait() {
	e.direct.stop()
	e.background.Wait()
}

// Moving returns file.ErrBusy if requests wait for memory and none of them gets any.
func (e *Engine) Moving(context.Context) error { return e.memory.Moving() }

// Memory returns how the memory for clients' bytes is used at this moment.
func (e *Engine) Memory() memory.Stats { return e.memory.Stats() }

// discard removes tails whose bytes are committed elsewhere. No request waits for it: tails that it fails to remove
// are found by their keys later.
func (e *Engine) discard(ctx context.Context, bucket string, tails []file.Tail) {
	if len(tails) == 0 {
		return
	}
	keys := make([]string, len(tails))
	for i, t := range tails {
		keys[i] = t.Key
		e.memory.Drop(t.Key)
	}
	ctx = context.WithoutCancel(ctx)
	e.background.Go(func() {
		err := recovered(func() error { return storage.DeleteAll(ctx, e.objects, bucket, keys) })
		if err != nil && !errors.Is(err, storage.ErrHeld) {
			e.log.WarnContext(ctx, "obsolete tails could not be removed", "bucket", bucket, "keys", keys, "error", err)
		}
	})
}
