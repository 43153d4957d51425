package file

import "time"

// State is how far an upload has come. This is the one drawing of its state machine:
//
//	open ---------------------> recorded   a file that fits one part: one object, put whole
//	open -----> completing ---> recorded   a file in parts
//	open --------------------------> stored   a partial upload that fits one part
//	open -----> completing --------> stored   a partial upload in parts
//	stored -------------------> recorded   a row that an older version has left in between
//	any state -----------------------------> deleted
//
// A partial upload (tus 1.0.0, Concatenation) ends as stored: it never becomes a file of its own. The object
// is complete, its size checked and its digest compared before the step to stored or recorded is committed.
// Each step can be repeated, so that whoever touches an upload next can finish what a crash cut short.
type State string

const (
	Open       State = "open"       // takes bytes
	Completing State = "completing" // has all bytes; the store is putting the parts together
	Stored     State = "stored"     // the object of a partial upload is complete
	Recorded   State = "recorded"   // the file can be seen
	Deleted    State = "deleted"    // gone for clients; what it left in the store is being removed
)

// Upload is a file on its way in. Its truth is its row in SQL.
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

	// Partial uploads wait for a final one to put them together, and Sources are the
	// partial uploads that a final one is made of (tus 1.0.0, Concatenation).
	Partial bool
	Sources []ID
	// Claim is the SHA-256 that the client says the whole file has; nil if it says nothing.
	Claim []byte

	Multipart Multipart
	Tails     []Tail // committed bytes after the last part, gapless, in order
	HashState []byte // the running SHA-256 over Offset bytes; nil at 0
	ETag      string // the store's tag, once the object is complete

	State State
	Epoch int64 // counts the leases given on this upload; fences every commit
	// Settled says that no lease up to this one has a write to the object's key under way: each of them has
	// ended, and knew that. See Alone.
	Settled int64
	Held    bool // somebody held the lease when the row was read

	// TTL is how long an unfinished upload is kept after its last byte, and Expires when
	// that ends, by the database's clock (tus 1.0.0, Expiration).
	TTL     time.Duration
	Expires time.Time
	Expired bool // Expires had passed when the row was read
}

// Complete reports whether every byte is committed.
func (u *Upload) Complete() bool { return !u.Deferred && u.Offset == u.Size }

// Done reports whether nothing is left to do for the upload itself: it is a file, or a
// partial upload with all its bytes.
func (u *Upload) Done() bool { return u.State == Recorded || u.Partial && u.State == Stored }

// Gone reports whether the upload has run out: it waited for too long for bytes or, a
// partial one, for the final upload. One that was to come in one request (TTL 0) is nobody's
// to go on with.
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

// Multipart is the store's multipart upload.
type Multipart struct {
	ID string // the store's; empty before the first part
	// Sums says that the store keeps the CRC32 of each part and wants to know them all again when they become an
	// object: it compares.
	Sums bool
}

// Part is one part of the store's multipart upload.
type Part struct {
	Number int32
	Offset int64 // bytes from the start of the file
	Size   int64
	ETag   string // the store's tag of it
	CRC32  string // of its bytes, in base64 as S3 has it; empty: the store keeps none
}

// Tail is an object that holds committed bytes too few for a part.
type Tail struct {
	Offset int64 // bytes from the start of the file
	Size   int64
	Key    string // in the upload's bucket
}

// TailSize is the number of bytes in tails.
func (u *Upload) TailSize() (n int64) {
	for _, t := range u.Tails {
		n += t.Size
	}
	return n
}

// Fence is what a commit must find unchanged in the row, or change nothing.
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
// They take the place of every tail that begins where the first of them begins, or
// behind that: a part is often made of the tails before it.
type Progress struct {
	Offset    int64 // the new committed offset
	HashState []byte
	Parts     []Part
	Tails     []Tail
	Whole     bool   // with neither: the object is there, whole, and the upload Stored
	Key       string // with Whole: of the object, in the upload's bucket
	ETag      string // with Whole: the store's tag of the object
	Release   bool   // give the lease back as well: this is the last commit of a request
}

// From is where the bytes of p begin, in bytes from the start of the file. Tails from
// here on are replaced.
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
