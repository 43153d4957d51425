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

// Open reads length bytes of an object from offset on. An etag, if given, is what the
// object must still have; file.ErrObjectChanged if it has another.
//
// A connection that breaks or stalls while the body is read is made again, and the body goes
// on where it was, as long as the object is the same. ctx ends the body too.
func (c *Client) Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	b := &body{client: c, ctx: ctx, at: at, etag: etag, offset: offset, left: length}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// body is what is left of a range of an object.
type body struct {
	client       *Client
	ctx          context.Context // of the caller
	at           file.Location
	etag         string // empty: the store gave none, so what was begun can't be gone on with
	offset, left int64  // bytes

	stream  io.ReadCloser // nil: to be opened again
	release func()        // ends the stream's request
	failed  int           // times in a row that a stream broke without a byte
	closed  bool
}

// open asks for what is left. Only the beginning has a time limit.
func (b *body) open() error {
	ctx, cancel := context.WithCancelCause(b.ctx)
	tooLate := time.AfterFunc(b.client.limits.ask, func() { cancel(os.ErrDeadlineExceeded) })
	in := &s3.GetObjectInput{Bucket: &b.at.Bucket, Key: &b.at.Key}
	if b.left > 0 { // a range over an empty object can't be satisfied
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
			// The bytes are right; the next Read sees to the rest.
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

// Close ends the body. What was not read is not fetched.
func (b *body) Close() error {
	b.closed = true
	return b.drop()
}

func (b *body) drop() error {
	if b.stream == nil {
		return nil
	}
	b.release() // first: closing may otherwise wait for the store
	err := b.stream.Close()
	b.stream = nil
	return err
}

func byteRange(offset, length int64) *string {
	return aws.String("bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10))
}
