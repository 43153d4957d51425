package tus

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// blockLength is odd, and coprime to all part sizes: if two parts changed places, or one came twice, the bytes would
// differ.
const blockLength = 1<<20 + 7

// Content is endless: a random block again and again, so that a gigabyte needs a mebibyte of memory and no time to
// make.
type Content struct{ block []byte }

// NewContent returns new random content.
func NewContent() Content {
	c := Content{block: make([]byte, blockLength)}
	rand.Read(c.block)
	return c
}

// Section returns length bytes from offset on.
func (c Content) Section(offset, length int64) *Section {
	return &Section{content: c, pos: offset, end: offset + length}
}

// SHA256 returns the hash of the first length bytes, in hex.
func (c Content) SHA256(length int64) string {
	h := sha256.New()
	_, _ = c.Section(0, length).WriteTo(h) // a hash returns no errors
	return sum(h)
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// Section is a part of a Content. WriteTo copies nothing.
type Section struct {
	content  Content
	pos, end int64
}

// Len returns how many bytes are left.
func (s *Section) Len() int64 { return s.end - s.pos }

// Pos returns the current position in the Content.
func (s *Section) Pos() int64 { return s.pos }

// next returns the next contiguous bytes.
func (s *Section) next() []byte {
	piece := s.content.block[s.pos%blockLength:]
	return piece[:min(int64(len(piece)), s.Len())]
}

// Read implements io.Reader.
func (s *Section) Read(b []byte) (int, error) {
	if s.Len() == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.next())
	s.pos += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (s *Section) WriteTo(w io.Writer) (sent int64, err error) {
	for s.Len() > 0 && err == nil {
		var n int
		n, err = w.Write(s.next())
		s.pos += int64(n)
		sent += int64(n)
	}
	return sent, err
}
