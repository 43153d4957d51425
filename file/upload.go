package file

import "time"

// State is how far an upload has come. This is its state machine:
//
//	open ---------------------> recorded   a file that fits one part: one object, put whole
//	open -----> completing ---> recorded   a file in parts
//	open --------------------------> stored   a partial upload that fits one part
//	open -----> completing --------> stored   a partial upload in parts
//	stored -------------------> recorded   a row that an older version left in this state
//	any state -----------------------------> deleted
//
// A partial upload (tus 1.0.0, Concatenation) ends as stored: it never becomes a file of its own. The object
// is complete, its size checked and its digest compared before the step to stored or recorded is committed.
// Each step can be repeated, so that the next session of an upload can finish what a crash interrupted.
type State string

const (
	Open       State = "open"       // takes bytes
	Completing State = "completing" // has all bytes; the store is putting the parts together
	Stored     State = "stored"     // the object of a partial upload is complete
	Recorded   State = "recorded"   // the file can be seen
	Deleted    State = "deleted"    // gone for clients; its objects are being removed from the store
)

// Upload is a file that is being uploaded. Its row in SQL is authoritative.
type Upload struct {
	ID       ID
	Creator  Identity
	Location Location
	Name     string
	Type     string
	// Metadata is the Upload-Metadata header as the client sent it (tus 1.0.0, Creation).
	Metadata string

	Size     int64 // bytes; meaningless while Deferred
	Deferred bool  // the length is not known yet (tus 1.0.0, creation-defer-length)
	Offset   int64 // bytes that are durable and committed
	PartSize int64 // bytes of every part but the last

	// Partial says that the upload waits to be concatenated by a final one. Sources are the
	// partial uploads that a final upload concatenates (tus 1.0.0, Concatenation).
	Partial bool
	Sources []ID
	// Claim is the SHA-256 that the client declared for the whole file; nil if it declared none.
	Claim []byte

	// Direct says that the client sends the parts to the store itself. Part n has the bytes from (n-1)*PartSize on; the
	// store alone knows which are there, and Offset is 0 until all are.
	Direct bool

	Multipart Multipart
	Tails     []Tail // committed bytes after the last part, gapless, in order
	HashState []byte // the running SHA-256 over Offset bytes; nil at 0, and if Direct until it was computed
	ETag      string // the store's tag, once the object is complete

	State State
	Epoch int64 // counts the leases given on this upload; fences every commit
	// Settled is an epoch. No lease up to this epoch has a write to the object's key in flight: each of them
	// saw all its writes end before it was given back. See Alone.
	Settled int64
	Held    bool // the lease was held when the row was read

	// TTL is how long an unfinished upload is kept after its last byte, and Expires when
	// that ends, by the database's clock (tus 1.0.0, Expiration).
	TTL     time.Duration
	Expires time.Time
	Expired bool // Expires had passed when the row was read
}

// Complete reports whether every byte is committed.
func (u *Upload) Complete() bool { return !u.Deferred && u.Offset == u.Size }

// Done reports whether the upload itself is finished: it is a file, or a partial upload with
// all its bytes.
func (u *Upload) Done() bool { return u.State == Recorded || u.Partial && u.State == Stored }

// Gone reports whether the upload has expired: it waited too long for bytes or, if it is
// partial, for the final upload. An upload that was to come in one request (TTL 0) can't be
// resumed, so it is gone too.
func (u *Upload) Gone() bool {
	if u.TTL == 0 {
		return u.State != Recorded
	}
	return u.Expired && u.State != Recorded && (!u.Complete() || u.Partial)
}

// Alone reports whether the holder of the lease is the only one whose writes can still reach the object's
// key. If not, a replica that died or a request that timed out may have left a PUT on its way there,
// and it may arrive after the file was recorded: the object then needs a key of its own.
func (u *Upload) Alone() bool { return u.Settled == u.Epoch-1 }

// Multipart is the multipart upload in the store.
type Multipart struct {
	ID string // the store's; empty before the first part
	// Sums says that the store keeps the CRC32 of each part. It compares them with those that are sent with the
	// request that completes the multipart upload.
	Sums bool
}

// Part is one part of the store's multipart upload.
type Part struct {
	Number int32
	Offset int64 // bytes from the start of the file
	Size   int64
	ETag   string // the store's tag of it
	CRC32  string // of its bytes, in base64 as in S3's headers; empty: the store keeps none
}

// Tail is an object that holds committed bytes that are too few for a part.
type Tail struct {
	Offset int64 // bytes from the start of the file
	Size   int64
	Key    string // in the upload's bucket
	CRC32  string // of its bytes, in base64; empty: an older version has written it
}

// TailSize is the number of bytes in tails.
func (u *Upload) TailSize() (n int64) {
	for _, t := range u.Tails {
		n += t.Size
	}
	return n
}

// Fence holds the values that a commit must find unchanged in the row; else it changes nothing.
type Fence struct {
	ID     ID
	Epoch  int64
	Offset int64
	State  State
}

// Fence returns the fence of the upload as it is now.
func (u *Upload) Fence() Fence { return Fence{u.ID, u.Epoch, u.Offset, u.State} }

// Progress is what a commit of bytes adds to an upload: parts and tails, in order and
// without a gap between them, or the whole object at once.
//
// They replace every tail that begins at From or after it: a part is often made of tails
// that were committed before.
type Progress struct {
	Offset    int64 // the new committed offset
	HashState []byte
	Parts     []Part
	Tails     []Tail
	Whole     bool   // without parts and tails: the object is complete, and the upload Stored
	Key       string // with Whole: of the object, in the upload's bucket
	ETag      string // with Whole: the store's tag of the object
	Release   bool   // also give the lease back: this is the last commit of a request
}

// From is the offset of the first byte of p, from the start of the file. Tails from this
// offset on are replaced.
func (p Progress) From() int64 {
	switch {
	case len(p.Parts) > 0:
		return p.Parts[0].Offset
	case len(p.Tails) > 0:
		return p.Tails[0].Offset
	default:
		return 0
	}
}
