package disk

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage/s3"
)

// Every call that writes is followed by a flush, and has failed if that has: the disk may not have what it wrote.
func TestEveryWriteIsFlushed(t *testing.T) {
	s := s3test.Start(t)
	flushes, disk := 0, error(nil)
	client := s3.New(s3.Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	defer client.Close()
	c := &Store{Client: client, room: (*Reserve)(nil), holding: holding{t.TempDir(), time.Minute},
		flush: func(context.Context) error { flushes++; return disk }}
	ctx, body := t.Context(), make([]byte, 5<<20)
	at := func() file.Location { return file.Location{Bucket: "flushed-1", Key: string(file.NewID())} }
	whole, whole2, parted := at(), at(), at()
	var etag string
	var upload file.Multipart
	var first, second file.Part
	writes := []struct {
		name string
		call func() error
	}{
		{"Put", func() (err error) {
			etag, err = c.Put(ctx, whole, "x/y", bytes.NewReader(body), int64(len(body)))
			return err
		}},
		{"Copy", func() error { return c.Copy(ctx, whole, etag, whole2, "x/y") }},
		{"BeginMultipart", func() (err error) {
			upload, err = c.BeginMultipart(ctx, parted, "x/y", true)
			return err
		}},
		{"PutPart", func() (err error) {
			first, err = c.PutPart(ctx, parted, upload, 1, bytes.NewReader(body), int64(len(body)))
			return err
		}},
		{"CopyPart", func() (err error) {
			second, err = c.CopyPart(ctx, whole, etag, 0, int64(len(body)), parted, upload, 2)
			return err
		}},
		{"Complete", func() error {
			return c.Complete(ctx, parted, upload, []file.Part{first, second})
		}},
	}
	for _, w := range writes {
		before := flushes
		if err := w.call(); err != nil || flushes == before {
			t.Fatalf("%s: %d flushes, %v", w.name, flushes-before, err)
		}
	}
	disk = errors.New("the disk is broken")
	for _, w := range writes[:len(writes)-1] {
		if err := w.call(); !errors.Is(err, file.ErrStorageWrite) || !errors.Is(err, disk) {
			t.Errorf("%s, not flushed: %v", w.name, err)
		}
	}
}
