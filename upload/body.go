package upload

import "io"

// Body is the body of a request: bytes for an upload.
type Body struct {
	io.Reader
	// Length of the body in bytes, as the client declared it; -1 if it did not.
	Length int64
	// Exceeded reports, once the reader has ended, whether the client had more to send than the upload's length
	// allows; nil: never.
	Exceeded func() bool
	// Interrupt makes a Read that waits for the client fail.
	Interrupt func()
	// Cut reports, once the reader has ended, whether the body broke off: it was interrupted, or the connection broke.
	// If Cut is nil, the reader returns an error other than io.EOF in that case.
	Cut func() bool
	// Check is the checksum that the client sends along; nil if there is none.
	Check Check
	// Last says that the body ends with the file's last byte: an upload of unknown length gets its length at the end
	// of the body.
	Last bool
	// More says that the session continues after the body: the last commit must not release the lease.
	More bool
	// Committed, if set, is called after each commit with the upload's offset, in bytes: everything before it is
	// durable. The upload waits for the call to return.
	Committed func(offset int64)
}

// Check compares the bytes of a request with a checksum (tus 1.0.0, Checksum).
type Check interface {
	io.Writer
	// Verify compares, once the body has ended: file.ErrChecksum if they differ.
	Verify() error
}

func (b *Body) exceeded() bool { return b.Exceeded != nil && b.Exceeded() }
func (b *Body) cut() bool      { return b.Cut != nil && b.Cut() }
