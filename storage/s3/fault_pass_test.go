package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// upload stores body as a multipart object of two parts.
func (f *faulty) upload(ctx context.Context, c *Client, at file.Location, body []byte) error {
	m, err := c.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		return err
	}
	var parts []file.Part
	for i, b := range [][]byte{body[:storage.MinCopy], body[storage.MinCopy:]} {
		part, err := c.PutPart(ctx, at, m, int32(i+1), f.body(b), int64(len(b)))
		if err != nil {
			return err
		}
		crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b))
		want := file.Part{Number: int32(i + 1), Size: int64(len(b)), ETag: fmt.Sprintf(`"%x"`, md5.Sum(b)),
			CRC32: base64.StdEncoding.EncodeToString(crc)}
		if part != want {
			return fmt.Errorf("%+v, want %+v", part, want)
		}
		parts = append(parts, part)
	}
	err = c.Complete(ctx, at, m, parts)
	if errors.Is(err, storage.ErrNoUpload) { // completed, and the answer was lost: the engine does the same
		_, err = c.Stat(ctx, at)
	}
	return err
}

// faulty makes each call to a store through a proxy that injects faults, and checks the result without the proxy.
type faulty struct {
	proxy   *faultyProxy
	client  *Client // over the proxy
	sound   *Client // directly
	content []byte
	body    func([]byte) io.ReadSeeker // what is sent
	whole   file.Location              // an object of content
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	s := s3test.Start(t)
	f := &faulty{proxy: newFaultyProxy(t, s, false), content: random(t, storage.MinCopy+1<<20),
		body:  func(b []byte) io.ReadSeeker { return bytes.NewReader(b) },
		sound: New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey}),
		whole: file.Location{Bucket: "faults-1", Key: "whole"}}
	t.Cleanup(func() { f.sound.Close() })
	f.client = f.proxy.client(t, s, hasty)
	if err := f.put(t.Context(), f.sound, f.whole); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *faulty) fresh() file.Location {
	return file.Location{Bucket: "faults-1", Key: string(file.NewID())}
}

func (f *faulty) put(ctx context.Context, c *Client, at file.Location) error {
	_, err := c.Put(ctx, at, "x/y", f.body(f.content), int64(len(f.content)))
	return err
}

// compare reads all but the first byte of an object.
func (f *faulty) compare(ctx context.Context, c *Client, at file.Location) error {
	r, err := c.Open(ctx, at, "", 1, int64(len(f.content))-1)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(b, f.content[1:]) {
		err = fmt.Errorf("%d bytes came, or others", len(b))
	}
	return err
}

func (f *faulty) doPut(ctx context.Context) error {
	at := f.fresh()
	if err := f.put(ctx, f.client, at); err != nil {
		return err
	}
	return f.compare(ctx, f.sound, at)
}

func (f *faulty) doUpload(ctx context.Context) error {
	at := f.fresh()
	if err := f.upload(ctx, f.client, at, f.content); err != nil {
		return err
	}
	return f.compare(ctx, f.sound, at)
}

func (f *faulty) doStat(ctx context.Context) error {
	o, err := f.client.Stat(ctx, f.whole)
	if err == nil && o.Size != int64(len(f.content)) {
		err = fmt.Errorf("%+v", o)
	}
	return err
}

func (f *faulty) doOpen(ctx context.Context) error { return f.compare(ctx, f.client, f.whole) }

func (f *faulty) doCopyPart(ctx context.Context) error {
	at := f.fresh()
	m, err := f.client.BeginMultipart(ctx, at, "x/y", true)
	if err != nil {
		return err
	}
	part, err := f.client.CopyPart(ctx, f.whole, "", 0, int64(len(f.content)), at, m, 1)
	if err != nil {
		return err
	}
	if err := f.sound.Complete(ctx, at, m, []file.Part{part}); err != nil {
		return err
	}
	return f.compare(ctx, f.sound, at)
}

func (f *faulty) doDelete(ctx context.Context) error {
	at := f.fresh()
	if _, err := f.sound.Put(ctx, at, "x/y", bytes.NewReader(nil), 0); err != nil {
		return err
	}
	if err := f.client.Delete(ctx, at); err != nil {
		return err
	}
	if _, err := f.sound.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		return fmt.Errorf("it is still there: %v", err)
	}
	return nil
}

func (f *faulty) doAbort(ctx context.Context) error {
	at := f.fresh()
	m, err := f.client.BeginMultipart(ctx, at, "x/y", false)
	if err != nil {
		return err
	}
	return f.client.Abort(ctx, at, m.ID)
}

// Each call meets each fault twice, and succeeds in the end.
func TestFaultsThatPass(t *testing.T) {
	f := newFaulty(t)
	for _, call := range []struct {
		name, method, part string // which requests are harmed
		do                 func(context.Context) error
	}{
		{"Put", "PUT", "faults-1/", f.doPut},
		{"BeginMultipart", "POST", "?uploads", f.doUpload},
		{"PutPart", "PUT", "partNumber=2", f.doUpload},
		{"Complete", "POST", "uploadId=", f.doUpload},
		{"Stat", "HEAD", "faults-1/", f.doStat},
		{"Open", "GET", "faults-1/", f.doOpen},
		{"CopyPart", "PUT", "partNumber=1", f.doCopyPart},
		{"Delete", "DELETE", "faults-1/", f.doDelete},
		{"Abort", "DELETE", "uploadId=", f.doAbort},
	} {
		for name, fault := range map[string]fault{
			"500": answers(500, "InternalError"), "503": answers(503, "SlowDown"), "429": answers(429, "TooManyRequests"),
			"409": answers(409, "ExistingObjectIsDirectory"), "502 of a proxy": answers(502, ""), "reset": resets,
			"cut answer": cuts, "half an answer": ends, "hang": hangs,
		} {
			if name == "hang" && (call.name == "Complete" || call.name == "CopyPart") {
				continue // their answers may take as long as the whole call
			}
			if name == "409" && call.name != "Put" {
				continue // versitygw says it while a folder is being removed
			}
			t.Run(call.name+" "+name, func(t *testing.T) {
				f.proxy.harm(call.method, call.part, 2, fault)
				f.passes(t, call.do)
			})
		}
	}
	t.Run("stall of the request", func(t *testing.T) {
		f.proxy.harm("PUT", "partNumber=2", 2, stops)
		f.passes(t, f.doUpload)
	})
	t.Run("stall of the answer", func(t *testing.T) {
		f.proxy.harm("GET", "faults-1/", 2, stallsAnswering)
		f.passes(t, f.doOpen)
	})
}

// passes makes a call that succeeds after it has met every fault.
func (f *faulty) passes(t *testing.T, do func(context.Context) error) {
	t.Helper()
	if err := do(t.Context()); err != nil {
		t.Error(err)
	}
	if n := f.proxy.left(); n != 0 {
		t.Errorf("%d faults were not met", n)
	}
}

func (p *faultyProxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times
}
