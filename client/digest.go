package client

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/dunglas/httpsfv"
)

// wantDigest asks for the SHA-256 of a whole file (RFC 9530, 4).
const wantDigest = "sha-256=10"

// digest is the SHA-256 of a file's first bytes, up to an offset.
type digest struct {
	hash.Hash
	at int64
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

// add adds the bytes at offset. Bytes that were added before are skipped.
func (d *digest) add(b []byte, offset int64) {
	if end := offset + int64(len(b)); offset <= d.at && end > d.at {
		d.Write(b[d.at-offset:])
		d.at = end
	}
}

// catchUp reads and adds what is missing up to an offset.
func (d *digest) catchUp(r io.ReaderAt, offset int64) error {
	n, err := io.Copy(d.Hash, io.NewSectionReader(r, d.at, max(0, offset-d.at)))
	if d.at += n; err == nil && d.at < offset {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// check compares the digest with the service's. Files that were imported may have none, so a missing one is no error.
func (d *digest) check(h http.Header) error {
	digests, err := httpsfv.UnmarshalDictionary(h.Values("Repr-Digest"))
	if err != nil {
		return nil
	}
	member, ok := digests.Get("sha-256")
	if !ok {
		return nil
	}
	item, ok := member.(httpsfv.Item)
	if !ok {
		return nil
	}
	want, ok := item.Value.([]byte)
	if ok && !bytes.Equal(want, d.Sum(nil)) {
		return fmt.Errorf("%w: the service has %x, here it is %x", ErrDigest, want, d.Sum(nil))
	}
	return nil
}
