package file

// State is how far an upload has come:
//
//	open -> completing -> stored -> recorded
//	open -> deleted, recorded -> deleted
//
// Each step can be repeated, so that whoever touches an upload next can finish
// what a crash cut short.
type State string

const (
	Open       State = "open"       // takes bytes
	Completing State = "completing" // has all bytes; the store is putting the parts together
	Stored     State = "stored"     // the object is complete and its size was checked
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

	MultipartID string // the store's id of the multipart upload; empty before the first part
	Parts       []Part // committed, gapless, in order
	Tails       []Tail // committed bytes after the last part, gapless, in order
	HashState   []byte // the running SHA-256 over Offset bytes; nil at 0
	ETag        string // the store's tag, from Stored on

	State State
	Epoch int64 // counts the leases given on this upload; fences every commit
}

// Complete reports whether every byte is committed.
func (u *Upload) Complete() bool { return !u.Deferred && u.Offset == u.Size }

// Part is one part of the store's multipart upload.
type Part struct {
	Number int32
	Offset int64 // bytes from the start of the file
	Size   int64
	ETag   string
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
}

// Fence returns the fence of the upload as it is now.
func (u *Upload) Fence() Fence { return Fence{u.ID, u.Epoch, u.Offset} }

// Progress is what a commit of bytes adds to an upload: a part, a tail, or the whole
// object at once.
type Progress struct {
	Offset    int64 // the new committed offset
	HashState []byte
	Part      *Part // takes the place of all tails
	Tail      *Tail // with Merged it takes the place of all other tails
	Merged    bool
	ETag      string // with neither part nor tail: the object is there, whole, and the upload Stored
}
