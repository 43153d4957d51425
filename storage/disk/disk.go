//go:build unix

// Package disk is the embedded store: plain files in a folder that only this process uses.
//
// # Layout
//
// Below DATA_DIR/store; encode makes the file names:
//
//	identity                            says which store this is (identity.go)
//	tmp/                                files that are being written; emptied at start
//	buckets/<bucket>/objects/<start of key>/<key>  an object: its bytes and, behind them, its record (record.go)
//	buckets/<bucket>/uploads/<id>       the record of an unfinished multipart upload
//	buckets/<bucket>/parts/<id>/<part>  the parts of an upload, and of the object that was made of it
//	buckets/<bucket>/trash/             records of what is being removed (trash.go)
//
// An object that was made of parts has no bytes of its own: its record names the files of its parts. So nothing is
// copied when an upload is completed, however large it is; the parts are read, and compared with the sums in their
// names.
//
// # Durability
//
// A file is written in tmp, flushed, renamed to its name, and then the folder of that name is flushed (commit.go). So
// a name stands for a whole file at every moment, and once a call has returned, what it wrote survives a power cut.
// Parts are the exception: they are named first, and flushed together with their folder, since nothing reads a part
// before it was acknowledged. Nothing is removed before what makes it obsolete was flushed. One flush serves all calls
// that wait for one (flush.go). Objects of version 0.1, which embedded versitygw, are read where they are (legacy.go).
//
// # Errors
//
// Those of package storage; file.ErrNoSpace if a write would leave less than the reserve (reserve.go). Removals are
// refused during a backup (hold.go).
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Store keeps objects as files of a folder that only this process changes.
type Store struct {
	*storage.Calls
	fs       fileSystem
	dataDir  string
	root     string // the folder of everything below
	old      legacy
	room     room
	holding  holding
	identity string
	largest  int64
	readOnly bool
	flusher  *flusher // nil: nothing is flushed
	unnamed  sync.Map // paths of files in tmp that could not be removed
	folders  sync.Map // paths of folders that exist and whose names were flushed
	fresh    fresh    // parts that were just stored
	keys     locks    // by object: held while its name is given to another file, or removed
	uploads  locks    // by upload: held while it is ended, and while a part gets its name
}

var _ interface {
	storage.Store
	storage.Copier
} = (*Store)(nil)

// room is what a store uses of a Reserve.
type room interface {
	Take(n int64) (give func(), err error)
	Check() error
}

// Options of a Store. The zero value flushes every write and reserves no space.
type Options struct {
	// NoFlush lets writes return before they are on the disk: a power cut may lose them.
	NoFlush bool
	// Reserve is the space that writes leave free; nil: none.
	Reserve *Reserve
	// Database is what the database knows of its store, which is compared with what is there; nil: nothing is compared.
	Database *Database
	// Largest is the largest file that will be written, in bytes: Writable checks that it may be.
	Largest int64
	// Accept takes the store that is there, or none, for the database's.
	Accept bool
	// ReadOnly opens the store beside the process that uses it: nothing is written, and nothing is removed that a crash
	// has left. Calls that write fail with file.ErrStorageWrite.
	ReadOnly bool
}

// completionPatience is the longest that Complete waits for a backup.
const completionPatience = 30 * time.Second

// Open opens the store below dataDir, which no other process may change. Unless it is opened to be read only, what a
// crash has left is removed, and uploads that version 0.1 has begun are taken over.
func Open(ctx context.Context, dataDir string, o Options) (*Store, error) {
	return open(ctx, osFiles{}, dataDir, o)
}

func open(ctx context.Context, files fileSystem, dataDir string, o Options) (*Store, error) {
	s := &Store{
		Calls: storage.NewCalls("disk", reasonOf), fs: files, dataDir: dataDir, root: rootOf(dataDir),
		old: legacy{files, dataDir}, room: o.Reserve, holding: holding{dataDir, completionPatience},
		largest: o.Largest, readOnly: o.ReadOnly,
	}
	if !o.NoFlush {
		s.flusher = &flusher{flush: files.Sync}
	}
	if err := s.identify(o); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	if s.readOnly {
		return s, s.checkIdentity()
	}
	if err := s.recover(ctx); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	return s, nil
}

// Close does nothing: a call that is still running may be cut off at any point, as in a killed process.
func (s *Store) Close() error { return nil }

// recover restores the state of the folder that all calls rely on.
func (s *Store) recover(ctx context.Context) error {
	if err := removeStagesAtStart(s.dataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dataDir, 0o700); err != nil {
		return err
	}
	if err := s.removeFiles(filepath.Join(s.root, "tmp")); err != nil {
		return err
	}
	for _, dir := range []string{"tmp", "buckets"} {
		if err := s.ensure(ctx, filepath.Join(s.root, dir)); err != nil {
			return err
		}
	}
	if err := s.keepIdentity(ctx); err != nil {
		return err
	}
	// A killed process may have left names that it did not flush. From now on they are visible, so they must be
	// durable.
	if s.flusher != nil {
		if err := s.fs.SyncAll(s.dataDir); err != nil {
			return err
		}
	}
	names, err := s.fs.Names(filepath.Join(s.root, "buckets"))
	if err != nil {
		return err
	}
	for _, name := range names {
		bucket, ok := decode(name)
		if !ok {
			continue
		}
		if err := errors.Join(s.emptyTrash(ctx, bucket), s.cleanUpCompleted(bucket)); err != nil {
			return err
		}
	}
	return s.takeOver(ctx)
}

// call wraps every call of the store: it is counted, refused if ctx has ended, and its error is classified.
func (s *Store) call(ctx context.Context, operation, doing string, kind error, do func(context.Context) error) error {
	ctx, end := s.Begin(ctx, operation)
	err := ctx.Err()
	if s.readOnly && errors.Is(kind, file.ErrStorageWrite) {
		err = errReadOnly
	}
	if err == nil {
		err = s.confirm(operation, kind, do(ctx))
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", doing, classify(kind, err))
	}
	end(err)
	return err
}

// errReadOnly is the error of writing calls where Options.ReadOnly is set.
var errReadOnly = errors.New("the store was opened to be read only")

// confirm checks the folder of the store after a call that found something missing, or that succeeded: where the folder
// is gone, everything is missing, a listing is empty, and a removal has nothing to remove. Only after a call that has
// read an object it need not be checked.
func (s *Store) confirm(operation string, kind, err error) error {
	switch {
	case err == nil && (operation == "GetObject" || operation == "HeadObject"):
		return nil
	case err == nil, errors.Is(err, file.ErrObjectMissing), errors.Is(err, storage.ErrNoUpload),
		errors.Is(err, storage.ErrDamaged):
		if gone := s.checkIdentity(); gone != nil {
			return fmt.Errorf("%w: %s", kind, gone.Error())
		}
	}
	return err
}

// classify turns an error into one of package storage; kind is for errors that have no kind of their own.
func classify(kind, err error) error {
	for _, known := range []error{file.ErrNoSpace, file.ErrUnavailable, file.ErrObjectMissing, storage.ErrNoUpload,
		storage.ErrDamaged} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind = file.ErrNoSpace
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// reasonOf is the label of a failed call in the metrics.
func reasonOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, file.ErrObjectMissing) || errors.Is(err, storage.ErrNoUpload) || errors.Is(err, storage.ErrHeld):
		return "refused"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "failed"
}

// Ping implements storage.Store.
func (s *Store) Ping(ctx context.Context, _ string) error {
	return s.call(ctx, "HeadBucket", "reach the embedded store", file.ErrStorageRead, func(context.Context) error {
		return s.checkIdentity()
	})
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// isID reports whether this package, or versitygw, may have created an upload id. The id becomes part of a path.
func isID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(strings.ToLower(id), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
