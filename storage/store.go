// Package storage is the seam between Holdfast and the store that keeps its objects: what
// every store does (Store), what some can do besides (Copier, Presigner, Passer), the nouns
// and the errors, and the layout of keys. storage/s3 and storage/disk are the stores.
//
// # Errors
//
// A write that fails is file.ErrStorageWrite, a read file.ErrStorageRead (both are
// file.ErrUnavailable); a full store is file.ErrNoSpace; an object that is not
// there is file.ErrObjectMissing, one that is not the expected one file.ErrObjectChanged;
// a multipart upload that is not there is ErrNoUpload.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
)

const (
	// MaxParts is the highest part number S3 takes.
	MaxParts = 10000
	// MinPart is the shortest part that S3 takes, but for the last one, in bytes.
	MinPart = 5 << 20
	// MinCopy and MaxCopy are what S3 copies as one part, in bytes: the least, if it is not
	// the last part, and the most.
	MinCopy = MinPart
	MaxCopy = 5 << 30
)

// ErrNoUpload says that the store does not know this multipart upload: it was
// completed or aborted before, or never begun.
var ErrNoUpload = errors.New("no such multipart upload")

// ErrNoCopy says that the store can't copy a part by itself: read and write it.
var ErrNoCopy = errors.New("the store does not copy parts")

// ErrHeld says that nothing is removed from the store at this moment: a backup is
// being made of it. It passes.
var ErrHeld = fmt.Errorf("a backup is being made: %w", file.ErrStorageWrite)

// ErrTaker says that bytes could not be passed on because of who takes them, and not
// because of the store.
var ErrTaker = errors.New("bytes were not taken")

// Object is what the store says of an object.
type Object struct {
	Size     int64 // bytes
	ETag     string
	Type     string
	Modified time.Time
}

// Listed is an object as a listing shows it.
type Listed struct {
	Key      string
	Size     int64 // bytes
	ETag     string
	Modified time.Time // by the store's clock
}

// Begun is a multipart upload that was begun and neither completed nor aborted.
type Begun struct {
	Key   string
	ID    string // the store's
	Since time.Time
}

// Left is what lies in the store of an upload, beside the object under ObjectKey.
type Left struct {
	Keys       []string // of its tails, and of objects under fenced keys
	Multiparts []Begun
}

// Store keeps objects. Its methods may be called from several goroutines.
//
// Durable: a write that returned without error survives a power cut. A write that returned an
// error, or did not return, may have been done, may be done still, or never. Every write can
// be repeated: the same bytes go to the same key or part number.
//
// Visible: an object is seen whole or not at all, under its key and in listings, as soon as the write has
// returned. Parts are not seen before Complete.
type Store interface {
	// Put stores an object whole. body must hold size bytes.
	Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64) (etag string, err error)
	// Stat looks at an object.
	Stat(ctx context.Context, at file.Location) (Object, error)
	// Open reads length bytes of an object from offset on. An etag, if given, is what the
	// object must still have; file.ErrObjectChanged if it has another.
	//
	// A connection that breaks or stalls while the body is read is made again, and the body goes
	// on where it was, as long as the object is the same. ctx ends the body too.
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	// Read is Open with less work for each call, for those who read a lot, and who go on by
	// themselves if the body breaks off.
	Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	// Delete removes an object. One that is not there is no error; ErrHeld while a backup is made.
	Delete(ctx context.Context, at file.Location) error

	// BeginMultipart begins a multipart upload. copies says that parts will be copied.
	BeginMultipart(ctx context.Context, at file.Location, contentType string, copies bool) (file.Multipart, error)
	// PutPart stores one part. body must stand at its beginning and hold size bytes; it is not read any more when PutPart
	// has returned. The part that is returned has all but its offset, and is for Complete.
	PutPart(
		ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker, size int64,
	) (file.Part, error)
	// Complete makes the parts of a multipart upload one object. ErrNoUpload may mean
	// that it was done before: look with Stat.
	Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error
	// Abort ends a multipart upload and removes its parts. One that is not there is no error; ErrHeld
	// while a backup is made.
	Abort(ctx context.Context, at file.Location, uploadID string) error

	// List returns objects of a bucket whose keys begin with prefix and lie behind after, in the
	// order of their keys' bytes: a page of at most 1000. An empty page is the end. A bucket that
	// is not there is empty.
	List(ctx context.Context, bucket, prefix, after string) ([]Listed, error)
	// Multiparts calls each for the multipart uploads of a bucket that were begun. An error of
	// each ends it. A bucket that is not there has none.
	Multiparts(ctx context.Context, bucket string, each func(Begun) error) error
	// Buckets lists the buckets whose names begin with prefix; none where the keys of this
	// client may not list them.
	Buckets(ctx context.Context, prefix string) ([]string, error)
	// Leftovers finds what lies in a bucket of an upload, whether a row names it or a crash has left it. A
	// store whose keys may not list says so, and is taken for one that has nothing.
	Leftovers(ctx context.Context, bucket string, id file.ID) (Left, error)

	// Ping asks whether the store answers.
	Ping(ctx context.Context, bucket string) error
}

// Copier is a store that copies by itself.
type Copier interface {
	// CopyPart has the store make a part of length bytes of the object from, from offset on.
	// fromETag, if given, is what that object must still have; if it has another, or is not
	// there, the error is file.ErrObjectMissing. The multipart upload must have been begun for
	// copies. ErrNoCopy if the store can't do it.
	CopyPart(
		ctx context.Context, from file.Location, fromETag string, offset, length int64,
		to file.Location, m file.Multipart, number int32,
	) (file.Part, error)
	// Copy has the store copy an object of at most MaxCopy bytes, which must still have the tag
	// fromETag. ErrNoCopy if the store can't do it.
	Copy(ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string) error
}

// Presigner is a store that clients can read from by themselves, by an address that expires.
type Presigner interface {
	// Presigner returns what makes addresses in the store that open one object for whoever
	// has them, until they expire. endpoint is where clients reach the store; empty: where
	// we do. Nothing is asked of the store, so the object need not be there.
	Presigner(endpoint string) func(context.Context, file.Location, Presigned) (string, error)
}

// Presigned says what an address in the store is good for.
type Presigned struct {
	Method string // GET or HEAD; the store tells them apart
	TTL    time.Duration
	// What the answer says of the object.
	Disposition, Type, CacheControl string
}
