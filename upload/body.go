package upload

import "io"

// Body is the body of a request: bytes for an upload.
type Body struct {
	io.Reader
	// Length of the body in bytes, as the client declared it; -1 if it did not.
	Length int64
	// Exceeded says, once the reader has ended, whether the client had more to send than
	// the upload's length allows; nil: it never has.
	Exceeded func() bool
	// Interrupt makes a Read that waits for the client return, with an error.
	Interrupt func()
	// Cut says, once the reader has ended, whether the body did not: it was interrupted, or
	// the connection broke; nil: then the reader gives an error other than io.EOF.
	Cut func() bool
	// Check is the checksum that the client sends along; nil if there is none.
	Check Check
	// Last says that the body has the file's last byte, wherever that is: an upload of unknown
	// length gets its length when the body has ended.
	Last bool
	// More says that the session goes on after the body: the last commit must not give the
	// lease back.
	More bool
	// Committed, if any, is called after each commit with the upload's offset, in bytes: all before it is durable. The
	// upload waits for it.
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
