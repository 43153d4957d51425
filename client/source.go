package client

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// source has the bytes of an upload. ReadAt reads those that load has made available.
type source interface {
	io.ReaderAt
	// load makes bytes from offset on available, and returns the offset where they end. last: the source ends there,
	// too.
	load(ctx context.Context, offset int64) (end int64, last bool, err error)
}

type fileSource struct {
	*os.File
	size int64
}

// ReadAt returns ErrChanged where the file has become shorter.
func (f fileSource) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(p, offset)
	if errors.Is(err, io.EOF) && offset+int64(n) < f.size {
		err = ErrChanged
	}
	return n, err
}

func (f fileSource) load(context.Context, int64) (int64, bool, error) { return f.size, true, nil }

// streamBuffer is how much of a stream is sent with one request and kept until the service has it, in bytes. It is
// the service's part size, so that no request leaves a tail.
const streamBuffer = 8 << 20

// streamSource is a stream whose last bytes can be read again, after a request that failed.
type streamSource struct {
	r     io.Reader
	start int64 // offset of buf
	buf   []byte
	ended bool
}

func newStreamSource(r io.Reader) *streamSource {
	return &streamSource{r: r, buf: make([]byte, 0, streamBuffer)}
}

func (s *streamSource) ReadAt(p []byte, offset int64) (int, error) {
	if offset < s.start || offset > s.start+int64(len(s.buf)) {
		return 0, errLost
	}
	n := copy(p, s.buf[offset-s.start:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

var errLost = errors.New("the service has lost bytes, and a stream can't be read again")

func (s *streamSource) load(ctx context.Context, offset int64) (end int64, last bool, err error) {
	if offset < s.start || offset > s.start+int64(len(s.buf)) {
		return 0, false, errLost
	}
	s.buf = append(s.buf[:0], s.buf[offset-s.start:]...)
	s.start = offset
	if !s.ended {
		if err := s.fill(ctx); err != nil {
			return 0, false, err
		}
	}
	return s.start + int64(len(s.buf)), s.ended, nil
}

// fill reads until the buffer is full or the stream ends. After ctx has ended the source must not be used: the Read
// may still be waiting.
func (s *streamSource) fill(ctx context.Context) error {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	free := s.buf[len(s.buf):cap(s.buf)]
	go func() {
		n, err := io.ReadFull(s.r, free)
		done <- result{n, err}
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case got := <-done:
		s.buf = s.buf[:len(s.buf)+got.n]
		if errors.Is(got.err, io.EOF) || errors.Is(got.err, io.ErrUnexpectedEOF) {
			s.ended, got.err = true, nil
		}
		return got.err
	}
}

// uploadBody is the body of a PATCH. It hashes what is read from it. An HTTP client may read a body after its call
// has failed, so it can be closed.
type uploadBody struct {
	*upload
	at, end int64
	watch   *time.Timer // ends the request when nothing is read any more; the answer has the client's own timeout

	mu     sync.Mutex
	closed bool
	err    error
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.end - b.at
	switch {
	case b.closed:
		return 0, errors.New("the request is over")
	case left <= 0:
		b.watch.Stop()
		return 0, io.EOF
	}
	n, err := b.source.ReadAt(p[:min(int64(len(p)), left)], b.at)
	b.sum.add(p[:n], b.at)
	b.at += int64(n)
	b.report(b.at)
	if n > 0 {
		b.watch.Reset(b.StallTimeout)
		b.moved()
		return n, nil
	}
	b.err = err
	return 0, err
}

// close ends the body, and returns why the source could not be read, if it could not.
func (b *uploadBody) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watch.Stop()
	b.closed = true
	return b.err
}
