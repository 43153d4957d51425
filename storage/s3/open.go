package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
)

// Open implements storage.Store.
func (c *Client) Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	b := &body{client: c, ctx: ctx, at: at, etag: etag, offset: offset, left: length}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// body reads a range of an object, and opens it again when the connection breaks.
type body struct {
	client       *Client
	ctx          context.Context // of the caller
	at           file.Location
	etag         string // empty: the store gave none, so the body can't be continued safely
	offset, left int64  // bytes

	stream  io.ReadCloser // nil: not open
	release func()        // ends the request of stream
	failed  int           // streams in a row that broke before their first byte
	closed  bool
}

// open requests the rest of the range. Only the time to the first byte is limited.
func (b *body) open() error {
	ctx, cancel := context.WithCancelCause(b.ctx)
	tooLate := time.AfterFunc(b.client.limits.ask, func() { cancel(os.ErrDeadlineExceeded) })
	in := &s3.GetObjectInput{Bucket: &b.at.Bucket, Key: &b.at.Key}
	if b.left > 0 { // an empty object has no range that can be satisfied
		in.Range = byteRange(b.offset, b.left)
	}
	if b.etag != "" {
		in.IfMatch = &b.etag
	}
	out, err := b.client.s3.GetObject(ctx, in, b.client.soon)
	if !tooLate.Stop() && err == nil {
		out.Body.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel(nil)
		return wrap(file.ErrStorageRead, "read object", err)
	}
	if got := aws.ToInt64(out.ContentLength); got != b.left {
		out.Body.Close()
		cancel(nil)
		return fmt.Errorf("read object: %w: it has %d bytes from %d on, want %d", file.ErrObjectChanged, got, b.offset,
			b.left)
	}
	if b.etag == "" {
		b.etag = aws.ToString(out.ETag)
	}
	b.stream, b.release = out.Body, func() { cancel(nil) }
	return nil
}

func (b *body) Read(p []byte) (int, error) {
	for {
		if b.closed {
			return 0, fs.ErrClosed
		}
		if b.stream == nil {
			if err := b.open(); err != nil {
				return 0, err
			}
		}
		n, err := b.stream.Read(p)
		b.offset += int64(n)
		b.left -= int64(n)
		switch {
		case n > 0:
			b.failed = 0
			if err == nil || err == io.EOF && b.left == 0 {
				return n, err
			}
			// These bytes are good. The next Read opens the stream again.
			_ = b.drop()
			if b.etag == "" {
				return n, broken(err)
			}
			return n, nil
		case err == nil || err == io.EOF && b.left == 0:
			return n, err
		}
		_ = b.drop()
		if b.failed++; b.etag == "" || b.failed >= maxTries || b.ctx.Err() != nil {
			return 0, broken(err)
		}
		wait, _ := delays(b.client.limits)(b.failed, err)
		if err := sleep(b.ctx, wait); err != nil {
			return 0, broken(err)
		}
	}
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read object: %w: %w", file.ErrStorageRead, err)
}

// Close ends the body. The rest of the range is not fetched.
func (b *body) Close() error {
	b.closed = true
	return b.drop()
}

func (b *body) drop() error {
	if b.stream == nil {
		return nil
	}
	b.release() // first, or Close may wait for the store
	err := b.stream.Close()
	b.stream = nil
	return err
}

func byteRange(offset, length int64) *string {
	return aws.String("bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10))
}
