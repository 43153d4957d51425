package form

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"time"

	"holdfast/file"
	"holdfast/reqbody"
)

// maxOverhead is how many bytes of a form may not belong to its file: other fields, and the headers of all parts.
// mime/multipart alone would keep 10 MB of headers.
const maxOverhead = 64 << 10

// stream is the body of a request. It limits the bytes that do not belong to the file.
type stream struct {
	body         *reqbody.Body
	hashed       io.Reader // body, which is hashed if there is a claim
	overheadLeft int       // bytes
	inFile       bool      // the bytes being read are the file's
	claim        []byte    // the body's SHA-256 in the request's headers; nil: none
	sum          hash.Hash
	err          error // why the body ended early
}

// newStream returns r's body. Digests in the request's headers are those of the body, which is the whole form (RFC
// 9530, 2 and 3).
func newStream(w http.ResponseWriter, r *http.Request, timeout time.Duration) (*stream, error) {
	claim, err := declaredDigest(r.Header)
	if err != nil {
		return nil, err
	}
	body := reqbody.New(w, r, timeout)
	s := &stream{body: body, hashed: body, overheadLeft: maxOverhead, claim: claim, sum: sha256.New()}
	if claim != nil {
		s.hashed = io.TeeReader(body, s.sum)
	}
	return s, nil
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if !s.inFile {
		if s.overheadLeft == 0 {
			s.err = file.Refuse(file.ErrInvalid,
				"The form has more than %d bytes besides the file: send fewer or shorter fields", maxOverhead)
			return 0, s.err
		}
		p = p[:min(len(p), s.overheadLeft)]
	}
	n, err := s.hashed.Read(p)
	if !s.inFile {
		s.overheadLeft -= n
	}
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case s.body.IsInterrupted():
		s.err = s.body.Interrupted
	case errors.Is(err, file.ErrInvalid): // malformed chunks
		s.err = err
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.err = file.Refuse(file.ErrSlow, "The client sent nothing for too long: send the form again")
	default:
		s.err = file.Refuse(file.ErrInvalid, "The body broke off")
	}
	return n, s.err
}

// verify returns io.EOF, or file.ErrDigest if the body does not match the request's headers. If these have no digest,
// what follows the form is not read.
func (s *stream) verify() error {
	if s.claim == nil {
		return io.EOF
	}
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if !bytes.Equal(s.sum.Sum(nil), s.claim) {
		return file.Refuse(file.ErrDigest, "The digest in the request's headers does not match its body. "+
			"Send the digest of the file in the headers of its part")
	}
	return io.EOF
}
