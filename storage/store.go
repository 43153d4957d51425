// Package storage is the seam between Holdfast and the store that keeps its objects: the interface of every store
// (Store), what some stores can do besides (Copier, Deleter, Presigner, PartReceiver, PartChecker, OrphanLister), the
// nouns, the errors, and the layout of keys (layout.go). storage/s3 is the client of S3 stores, storage/disk the
// embedded default; storage/storagetest has the contract as tests.
//
// # Errors
//
//   - file.ErrStorageWrite: a write failed. file.ErrStorageRead: a read failed. Both are file.ErrUnavailable: the
//     caller may try again later.
//   - file.ErrNoSpace: the store is full.
//   - file.ErrObjectMissing: the store says that there is no such object, or no such bucket.
//   - file.ErrObjectChanged: the object is not the expected one: it has another ETag, or another size.
//   - ErrNoUpload: the store says that there is no such multipart upload.
//   - ErrPartChanged: a part is not the one that was listed.
//   - ErrNoDirect: clients can't send parts to the store.
//   - ErrNoBucket: the store says that there is no such bucket. It is a file.ErrObjectMissing.
//   - ErrNoList: the store does not let this client list.
//   - ErrDamaged: a part is gone, or is not what was stored.
//   - ErrHeld: nothing is removed while a backup is made.
//   - ErrNoCopy: the store does not copy.
//
// Only the store itself can say that something is missing. An answer that does not come from it, such as a web
// server's 404, is file.ErrStorageRead or file.ErrStorageWrite.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
)

// The limits of S3, which every store keeps to.
const (
	// MaxObject is the largest object that stores take, in bytes.
	MaxObject = 5 << 40
	// MaxParts is the highest part number; the lowest is 1.
	MaxParts = 10000
	// MinPart is the least size of a part other than the last one, in bytes.
	MinPart = 5 << 20
	// MinCopy and MaxCopy are the least and the largest size of a part that is copied, in bytes. The last part may be
	// shorter than MinCopy.
	MinCopy = MinPart
	MaxCopy = 5 << 30
)

var (
	// ErrNoUpload: the store does not know this multipart upload. It was completed or aborted, or never begun.
	ErrNoUpload = errors.New("no such multipart upload")
	// ErrNoBucket: the bucket does not exist, so nothing is known of what was in it: this may be another store.
	ErrNoBucket = fmt.Errorf("no such bucket: %w", file.ErrObjectMissing)
	// ErrDamaged: a part of a multipart upload is gone, or is not what was stored. Nothing can be made of the upload
	// any more.
	ErrDamaged = errors.New("a part is gone, or is not what was stored")
	// ErrNoList: the store does not let this client list.
	ErrNoList = errors.New("the store does not let this client list")
	// ErrNoCopy: the store can't copy by itself. Read and write the bytes instead.
	ErrNoCopy = errors.New("the store does not copy parts")
	// ErrHeld: nothing is removed from the store at the moment, because a backup of it is being made. Try again later.
	ErrHeld = fmt.Errorf("a backup is being made: %w", file.ErrStorageWrite)
	// ErrWriter: the writer that bytes were passed on to has failed, and not the store.
	ErrWriter = errors.New("the writer took no more bytes")
)

// Object is what the store says about an object.
type Object struct {
	Size     int64 // bytes
	ETag     string
	Type     string // media type
	Modified time.Time
}

// ListedObject is an object in a listing.
type ListedObject struct {
	Key      string
	Size     int64 // bytes
	ETag     string
	Modified time.Time // by the store's clock
}

// MultipartUpload is a multipart upload that was begun and is neither completed nor aborted.
type MultipartUpload struct {
	Key   string
	ID    string // the store's
	Since time.Time
}

// Leftovers is what a bucket holds of one upload, besides the object under ObjectKey.
type Leftovers struct {
	Keys       []string // of its tails, and of objects under fenced keys
	Multiparts []MultipartUpload
}

// Store keeps objects in buckets. Its methods may be called from several goroutines at the same time; calls that
// concern one key are not ordered by the store.
//
// # Durability
//
// When Put, PutPart, CopyPart, Copy, BeginMultipart or Complete returns without an error, what it wrote survives a
// power cut. When it returns an error, or the process dies before it returns, the write may have been done, may
// still be done later, or may never be done: a late write is possible after any failed one, also after the context
// has ended. So callers never reuse a key, or a part number, for other bytes (see FencedKey and TailKey).
//
// Delete and Abort need not be durable: after a power cut, what was removed may be there again.
//
// # Damage
//
// A store compares what it keeps with checksums before it gives it another form: a part that is not what was stored
// never becomes a part of an object. S3 stores compare the CRC32 that PutPart has given them, where they keep it (see
// file.Multipart.Sums); storage/disk reads in Complete the parts that it has not stored within the last minute. Not
// every store compares what it reads: Holdfast compares tails and the sources of final uploads itself, and files with
// `holdfast reconcile --deep`.
//
// # Repetition
//
// Every call may be repeated. Put and PutPart with the same bytes have the same result. Delete and Abort of what is
// not there succeed. Complete of an upload that is completed already may be ErrNoUpload or succeed; Stat tells what
// there is. So may Complete of an upload that the store does not know, where an object is under the key: versitygw
// answers with success then, and changes nothing.
//
// # Visibility
//
// An object is visible under its key either whole or not at all. From the moment that the write has returned, every
// later Stat, Open, Read and List, from any process, sees it, and sees nothing of a deleted one. An object that is
// replaced is read as the old one or the new one, never as a mixture. Parts are not visible before Complete, except
// to Multiparts and Leftovers as an upload that was begun.
//
// # Buckets
//
// A bucket is made by the first write to it. One that does not exist is empty.
//
// # Keys
//
// A key is any UTF-8 text of 1 to 1024 bytes. A store over a file system, such as versitygw, may refuse or change keys
// that are no clean paths ("a//b", "../a"), that continue another one after a slash ("a/b" beside "a"), or that have a
// segment of over 200 bytes: Holdfast makes no such keys.
type Store interface {
	// Put stores an object whole. body must hold size bytes. contentType is what Stat says afterwards.
	Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64) (etag string, err error)
	// Stat returns what the store says about an object.
	Stat(ctx context.Context, at file.Location) (Object, error)
	// Open reads length bytes of an object from offset on. If etag is not empty the object must have it:
	// file.ErrObjectChanged if not, and also if the object is too short.
	//
	// If the connection breaks or stalls while the body is read, Open connects again and continues where it was, as
	// long as the object has not changed. The body ends with ctx.
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	// Read is like Open, without the continuation, and with less work for each call. It is for callers that read a lot and
	// continue by themselves. The body may have a method Pass, which sends bytes on without copying them through this
	// process.
	Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	// Delete removes an object. ErrHeld while a backup is made.
	Delete(ctx context.Context, at file.Location) error

	// BeginMultipart begins a multipart upload. withoutSums says that parts will come without a CRC32: copied, or sent by
	// clients.
	BeginMultipart(ctx context.Context, at file.Location, contentType string, withoutSums bool) (file.Multipart, error)
	// PutPart stores one part. Parts may be stored in any order and at the same time; numbers may have gaps. body must
	// stand at its beginning and hold size bytes; it is not read any more when PutPart has returned. The returned part is
	// for Complete; its Offset is the caller's to set.
	PutPart(
		ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker, size int64,
	) (file.Part, error)
	// Parts returns a page of at most 1000 parts that the store has of a multipart upload, in the order of their numbers:
	// those with numbers above after, which is 0 or the number of a part that is there. An empty page is the end. The
	// offsets are 0. ErrNoUpload if there is no such multipart upload, ErrNoList if this client may not ask.
	Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) ([]file.Part, error)
	// Complete makes the parts, in the order of their numbers, one object. Parts that are not in the list are removed.
	// ErrDamaged if the store is sure that a part is not there any more, or is another one.
	Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error
	// Abort ends a multipart upload and removes its parts. ErrHeld while a backup is made.
	Abort(ctx context.Context, at file.Location, uploadID string) error

	// List returns a page of at most 1000 objects of a bucket, in the order of their keys' bytes: those whose keys begin
	// with prefix and come after the key after. An empty page is the end.
	List(ctx context.Context, bucket, prefix, after string) ([]ListedObject, error)
	// Multiparts calls each for every multipart upload that was begun in a bucket. An error of each ends it.
	Multiparts(ctx context.Context, bucket string, each func(MultipartUpload) error) error
	// Buckets lists the buckets whose names begin with prefix; none if this client may not list buckets.
	Buckets(ctx context.Context, prefix string) ([]string, error)
	// Leftovers finds everything that a bucket holds of an upload, also what no row names. A store that does not let this
	// client list is taken for one that has nothing.
	Leftovers(ctx context.Context, bucket string, id file.ID) (Leftovers, error)

	// Ping reports whether the store answers, by asking about a bucket that need not exist.
	Ping(ctx context.Context, bucket string) error
}

// InMemory is a body of Put or PutPart whose bytes are in memory. A store may send them from where they are.
type InMemory interface {
	// Pieces returns all bytes of the body, in their order; false: some are not in memory, read the body instead. They
	// must not be changed, and not be used after Put or PutPart has returned.
	Pieces() ([][]byte, bool)
}

// Copier is a store that copies by itself, without sending the bytes. ErrNoCopy if it can't after all.
type Copier interface {
	// CopyPart makes a part of length bytes of the object from, from offset on. If fromETag is not empty the object must
	// have it; file.ErrObjectMissing if not. The multipart upload must have been begun for copies.
	CopyPart(
		ctx context.Context, from file.Location, fromETag string, offset, length int64,
		to file.Location, m file.Multipart, number int32,
	) (file.Part, error)
	// Copy copies an object of at most MaxCopy bytes, which must still have fromETag.
	Copy(ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string) error
}

// Deleter is a store that removes several objects in one call.
type Deleter interface {
	// DeleteAll is Delete for several objects of a bucket. After an error some of them may be there.
	DeleteAll(ctx context.Context, bucket string, keys []string) error
}

// DeleteAll removes objects of a bucket, in as few calls as the store allows. It goes on after an error.
func DeleteAll(ctx context.Context, s Store, bucket string, keys []string) (err error) {
	if d, ok := s.(Deleter); ok {
		return d.DeleteAll(ctx, bucket, keys)
	}
	for _, key := range keys {
		err = errors.Join(err, s.Delete(ctx, file.Location{Bucket: bucket, Key: key}))
	}
	return err
}

// PartChecker is a store that can read a part before its upload is completed. The others compare the checksums of parts
// by themselves: S3 keeps them from PutPart on.
type PartChecker interface {
	// CheckPart reads a part: ErrDamaged if it is gone, or is not what was stored.
	CheckPart(ctx context.Context, at file.Location, m file.Multipart, p file.Part) error
}

// OrphanLister is a store that may have parts that belong neither to an upload nor to an object.
type OrphanLister interface {
	// Orphans calls each for them, with an empty key: Abort without a key removes them. It looks at all objects of the
	// bucket. An error of each ends it.
	Orphans(ctx context.Context, bucket string, each func(MultipartUpload) error) error
}

// Presigner is a store from which clients can read by themselves, with a URL that expires.
type Presigner interface {
	// Presigner returns a function that makes such URLs. endpoint is the store's address as clients see it; if it is
	// empty, the one that we use. Nothing is asked of the store, so the object need not exist.
	Presigner(endpoint string) func(context.Context, file.Location, PresignOptions) (string, error)
}

// PresignOptions says what a presigned URL permits, and which headers the store answers with.
type PresignOptions struct {
	Method                          string // GET or HEAD: the signature covers it
	TTL                             time.Duration
	Disposition, Type, CacheControl string
}
