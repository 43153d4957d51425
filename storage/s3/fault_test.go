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
	"net/http"
	"os"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// upload makes a multipart object of body, in two parts, by what c does.
func upload(ctx context.Context, c *Client, at file.Location, body []byte) error {
	m, err := c.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		return err
	}
	var parts []file.Part
	for i, b := range [][]byte{body[:storage.MinCopy], body[storage.MinCopy:]} {
		part, err := c.PutPart(ctx, at, m, int32(i+1), bytes.NewReader(b), int64(len(b)))
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
	if errors.Is(err, storage.ErrNoUpload) { // it was done, and the answer lost: as the engine has it
		_, err = c.Stat(ctx, at)
	}
	return err
}

// Each call meets each fault twice, and does in the end what it should.
func TestFaultsThatPass(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	sound := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	defer sound.Close()
	content := random(t, storage.MinCopy+1<<20)
	whole := file.Location{Bucket: "faults-1", Key: "whole"}
	if _, err := sound.Put(t.Context(), whole, "x/y", bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	got := func(ctx context.Context, c *Client, at file.Location) error {
		r, err := c.Open(ctx, at, "", 1, int64(len(content))-1)
		if err != nil {
			return err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(b, content[1:]) {
			err = fmt.Errorf("%d bytes came, or others", len(b))
		}
		return err
	}
	fresh := func() file.Location { return file.Location{Bucket: "faults-1", Key: string(file.NewID())} }
	uploads := func(ctx context.Context) error {
		at := fresh()
		if err := upload(ctx, c, at, content); err != nil {
			return err
		}
		return got(ctx, sound, at)
	}
	for _, call := range []struct {
		name, method, part string // which requests are harmed
		do                 func(context.Context) error
	}{
		{"Put", "PUT", "faults-1/", func(ctx context.Context) error {
			at := fresh()
			if _, err := c.Put(ctx, at, "x/y", bytes.NewReader(content), int64(len(content))); err != nil {
				return err
			}
			return got(ctx, sound, at)
		}},
		{"BeginMultipart", "POST", "?uploads", uploads},
		{"PutPart", "PUT", "partNumber=2", uploads},
		{"Complete", "POST", "uploadId=", uploads},
		{"Stat", "HEAD", "faults-1/", func(ctx context.Context) error {
			o, err := c.Stat(ctx, whole)
			if err == nil && o.Size != int64(len(content)) {
				err = fmt.Errorf("%+v", o)
			}
			return err
		}},
		{"Open", "GET", "faults-1/", func(ctx context.Context) error { return got(ctx, c, whole) }},
		{"CopyPart", "PUT", "partNumber=1", func(ctx context.Context) error {
			at := fresh()
			m, err := c.BeginMultipart(ctx, at, "x/y", true)
			if err != nil {
				return err
			}
			part, err := c.CopyPart(ctx, whole, "", 0, int64(len(content)), at, m, 1)
			if err != nil {
				return err
			}
			if err := sound.Complete(ctx, at, m, []file.Part{part}); err != nil {
				return err
			}
			return got(ctx, sound, at)
		}},
		{"Delete", "DELETE", "faults-1/", func(ctx context.Context) error {
			at := fresh()
			if _, err := sound.Put(ctx, at, "x/y", bytes.NewReader(nil), 0); err != nil {
				return err
			}
			if err := c.Delete(ctx, at); err != nil {
				return err
			}
			if _, err := sound.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
				return fmt.Errorf("it is still there: %v", err)
			}
			return nil
		}},
		{"Abort", "DELETE", "uploadId=", func(ctx context.Context) error {
			at := fresh()
			m, err := c.BeginMultipart(ctx, at, "x/y", false)
			if err != nil {
				return err
			}
			return c.Abort(ctx, at, m.ID)
		}},
	} {
		for name, f := range map[string]fault{
			"500": answers(500, "InternalError"), "503": answers(503, "SlowDown"), "429": answers(429, "TooManyRequests"),
			"409": answers(409, "ExistingObjectIsDirectory"), "502 of a proxy": answers(502, ""), "reset": resets,
			"cut answer": cuts, "half an answer": ends, "hang": hangs,
		} {
			if name == "hang" && (call.name == "Complete" || call.name == "CopyPart") {
				continue // they are waited for as long as the call may take
			}
			if name == "409" && call.name != "Put" {
				continue // what versitygw says while a folder is removed
			}
			t.Run(call.name+" "+name, func(t *testing.T) {
				p.harm(call.method, call.part, 2, f)
				if err := call.do(t.Context()); err != nil {
					t.Error(err)
				}
				if n := p.left(); n != 0 {
					t.Errorf("%d faults were not met", n)
				}
			})
		}
	}
	for name, f := range map[string]fault{"stall of the request": stops, "stall of the answer": stallsAnswering} {
		t.Run(name, func(t *testing.T) {
			p.harm("PUT", "partNumber=2", 2, f)
			if name != "stall of the request" {
				p.harm("GET", "faults-1/", 2, f)
			}
			if err := errors.Join(uploads(t.Context()), got(t.Context(), c, whole)); err != nil {
				t.Error(err)
			}
			if n := p.left(); n != 0 {
				t.Errorf("%d faults were not met", n)
			}
		})
	}
}

func (p *faultyProxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times
}

// What does not pass is not tried for ever, and what is nobody's fault but the caller's only once.
func TestFaultsThatStay(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	at := file.Location{Bucket: "faults-2", Key: "k"}
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader([]byte("hello")), 5); err != nil {
		t.Fatal(err)
	}
	for range 30 { // far more than the SDK's own limit of retries has tokens for
		p.harm("HEAD", "", 100, answers(503, "SlowDown"))
		if _, err := c.Stat(t.Context(), at); !errors.Is(err, file.ErrStorageRead) {
			t.Fatal(err)
		}
		if n := len(p.requests()); n != maxTries {
			t.Fatalf("%d tries", n)
		}
	}
	p.harm("HEAD", "", maxTries-1, answers(500, "InternalError"))
	if _, err := c.Stat(t.Context(), at); err != nil {
		t.Errorf("after many faults: %v", err)
	}
	for _, code := range []string{"AccessDenied", "InvalidRequest"} {
		p.harm("PUT", "", 100, answers(403, code))
		if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); !errors.Is(err, file.ErrStorageWrite) ||
			len(p.requests()) != 1 {
			t.Errorf("%s: %v after %d tries", code, err, len(p.requests()))
		}
	}
	p.harm("PUT", "", 100, answers(507, "XMinioStorageFull"))
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); !errors.Is(err, file.ErrNoSpace) ||
		len(p.requests()) != 1 {
		t.Errorf("full: %v after %d tries", err, len(p.requests()))
	}
	p.harm("GET", "", 100, cuts)
	r, err := c.Open(t.Context(), at, "", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); !errors.Is(err, file.ErrStorageRead) || len(p.requests()) > 3*maxTries {
		t.Errorf("a body that always breaks: %q %v after %d tries", b, err, len(p.requests()))
	}
	r.Close()
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestTheEndOfTheContextIsNotTriedAgain(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s, func(o *Options) { o.limits.answer, o.limits.stallRead = time.Minute, time.Minute })
	at := file.Location{Bucket: "faults-3", Key: "k"}
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader([]byte("hello")), 5); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"HEAD": func(ctx context.Context) error { _, err := c.Stat(ctx, at); return err },
		"PUT": func(ctx context.Context) error {
			_, err := c.Put(ctx, at, "x/y", bytes.NewReader([]byte("hello")), 5)
			return err
		},
		"GET": func(ctx context.Context) error { _, err := c.Open(ctx, at, "", 0, 5); return err },
	} {
		ctx := overdue{t.Context(), make(chan struct{})}
		p.harm(name, "", 100, func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
			close(ctx.over)
			hangs(p, w, r)
		})
		if err := call(ctx); !errors.Is(err, file.ErrUnavailable) || len(p.requests()) != 1 {
			t.Errorf("%s: %v after %d tries", name, err, len(p.requests()))
		}
	}
	// A body, in the middle.
	p.harm("GET", "", 100, stallsAnswering)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := c.Open(ctx, at, "", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if b, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || len(b) != 0 || len(p.requests()) != 1 {
		t.Errorf("%q %v after %d tries", b, err, len(p.requests()))
	}
	// The total limit of a call, over all tries.
	hasty := p.client(t, s, func(o *Options) { o.limits.ask, o.limits.answer = 3*time.Second, 100*time.Millisecond })
	p.harm("HEAD", "", 100, hangs)
	if _, err := hasty.Stat(t.Context(), at); !errors.Is(err, file.ErrStorageRead) || len(p.requests()) < 2 {
		t.Errorf("%v after %d tries", err, len(p.requests()))
	}
}

// overdue is a context whose time is over when the test says so.
type overdue struct {
	context.Context
	over chan struct{}
}

func (o overdue) Done() <-chan struct{} { return o.over }

func (o overdue) Err() error {
	select {
	case <-o.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// An object that was replaced while it is read is not gone on with.
func TestOpenNeverMixesTwoObjects(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	at := file.Location{Bucket: "faults-4", Key: "k"}
	one, two := random(t, 1<<20), random(t, 1<<20)
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(one), 1<<20); err != nil {
		t.Fatal(err)
	}
	replaced := make(chan struct{})
	p.harm("GET", "", 1, func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
		defer close(replaced)
		cuts(p, w, r)
		if _, err := c.Put(context.Background(), at, "x/y", bytes.NewReader(two), 1<<20); err != nil {
			t.Error(err)
		}
	})
	r, err := c.Open(t.Context(), at, "", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	<-replaced
	b, err := io.ReadAll(r)
	if !errors.Is(err, file.ErrObjectMissing) || !bytes.HasPrefix(one, b) {
		t.Errorf("%d bytes and %v", len(b), err)
	}
}
