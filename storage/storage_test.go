package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/file"
)

// shared is the one embedded store that a process can have.
var shared struct {
	*Embedded
	dir string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "holdfast-storage-")
	if err != nil {
		panic(err)
	}
	shared.dir = dir
	shared.Embedded, err = StartEmbedded(context.Background(), dir, true)
	if err != nil {
		panic(err)
	}
	status := m.Run()
	err = shared.Close()
	os.RemoveAll(dir)
	if err != nil {
		panic(err)
	}
	os.Exit(status)
}

func random(t testing.TB, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, c *Client, at file.Location, offset, length int64) []byte {
	t.Helper()
	r, err := c.Open(t.Context(), at, "", offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// suite is what every store has to do.
func suite(t *testing.T, c *Client) {
	layout := Layout{BucketPrefix: "suite-" + string(file.NewID())[:8]}
	ctx := t.Context()

	t.Run("whole object", func(t *testing.T) {
		at := layout.Object(1, file.NewID())
		for _, size := range []int{0, 1, 3 << 20} {
			body := random(t, size)
			etag, err := c.Put(ctx, at, "text/plain", bytes.NewReader(body), int64(size))
			if err != nil || etag == "" {
				t.Fatal(etag, err)
			}
			o, err := c.Stat(ctx, at)
			if err != nil || o.Size != int64(size) || o.ETag != etag {
				t.Fatalf("%+v %v, want %d %s", o, err, size, etag)
			}
			if got := read(t, c, at, 0, int64(size)); !bytes.Equal(got, body) {
				t.Fatal("other bytes came back")
			}
		}
		if err := c.Delete(ctx, at); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(ctx, at); err != nil {
			t.Fatalf("deleting twice: %v", err)
		}
	})

	t.Run("multipart", func(t *testing.T) {
		at := layout.Object(2, file.NewID())
		id, err := c.BeginMultipart(ctx, at, "video/mp4", false)
		if err != nil {
			t.Fatal(err)
		}
		body := random(t, 11<<20)
		var parts []file.Part
		for i, cut := range [][2]int{{0, 5 << 20}, {5 << 20, 10 << 20}, {10 << 20, 11 << 20}} {
			n := int32(2*i + 3) // numbers may have gaps
			b := body[cut[0]:cut[1]]
			etag, err := c.PutPart(ctx, at, id, n, bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, file.Part{Number: n, Offset: int64(cut[0]), Size: int64(len(b)), ETag: etag})
		}
		if _, err := c.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
			t.Fatalf("seen before it is complete: %v", err)
		}
		if err := c.Complete(ctx, at, id, parts); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c, at, 0, int64(len(body))); !bytes.Equal(got, body) {
			t.Fatal("other bytes came back")
		}
		for offset, length := range map[int64]int64{0: 11 << 20, 5<<20 - 3: 7, 11<<20 - 1: 1} {
			r, err := c.Read(ctx, at, "", offset, length)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if r.Close(); err != nil || !bytes.Equal(got, body[offset:offset+length]) {
				t.Fatalf("Read of %d bytes from %d on: %d bytes, %v", length, offset, len(got), err)
			}
		}
		if got := read(t, c, at, 5<<20-3, 7); !bytes.Equal(got, body[5<<20-3:5<<20+4]) {
			t.Fatal("other bytes in a range")
		}
	})

	t.Run("abort", func(t *testing.T) {
		at := layout.Object(2, file.NewID())
		id, err := c.BeginMultipart(ctx, at, "video/mp4", false)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := c.Abort(ctx, at, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.PutPart(ctx, at, id, 1, bytes.NewReader(nil), 0); !errors.Is(err, ErrNoUpload) {
			t.Fatalf("a part of an aborted upload: %v", err)
		}
	})

	t.Run("missing", func(t *testing.T) {
		at := layout.Object(1, file.NewID())
		if _, err := c.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
			t.Error(err)
		}
		if _, err := c.Open(ctx, at, "", 0, 1); !errors.Is(err, file.ErrObjectMissing) {
			t.Error(err)
		}
		if _, err := c.Read(ctx, at, "", 0, 1); !errors.Is(err, file.ErrObjectMissing) || errors.Is(err, file.ErrObjectChanged) {
			t.Error(err)
		}
		if _, err := c.Open(ctx, layout.Object(77, "x"), "", 0, 1); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("in a bucket that is missing too: %v", err)
		}
	})

	t.Run("replaced", func(t *testing.T) {
		at := layout.Object(1, file.NewID())
		etag, err := c.Put(ctx, at, "text/plain", bytes.NewReader([]byte("one")), 3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Put(ctx, at, "text/plain", bytes.NewReader([]byte("two")), 3); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Open(ctx, at, etag, 0, 3); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("another object under the old tag: %v", err)
		}
		for what, read := range map[string]func(context.Context, file.Location, string, int64, int64) (io.ReadCloser, error){"Open": c.Open, "Read": c.Read} {
			if _, err := read(ctx, at, etag, 0, 3); !errors.Is(err, file.ErrObjectChanged) {
				t.Errorf("%s another object under the old tag: %v", what, err)
			}
			if _, err := read(ctx, at, "", 0, 4); !errors.Is(err, file.ErrObjectChanged) {
				t.Errorf("%s a longer range than there is: %v", what, err)
			}
			if _, err := read(ctx, at, "", 4, 1); !errors.Is(err, file.ErrObjectChanged) {
				t.Errorf("%s a range behind the end: %v", what, err)
			}
			if r, err := read(ctx, at, "", 1, 2); err != nil {
				t.Errorf("%s after errors: %v", what, err)
			} else {
				r.Close()
			}
		}
	})

	t.Run("ping", func(t *testing.T) {
		if err := c.Ping(ctx, layout.BucketPrefix+"-0"); err != nil {
			t.Error(err)
		}
	})
}

func TestEmbedded(t *testing.T) { suite(t, shared.Client) }

func TestStoreThatIsNotThere(t *testing.T) {
	c := New(Options{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "a", SecretKey: "s", limits: shortLimits})
	defer c.Close()
	at := file.Location{Bucket: "b-1", Key: "k"}
	if err := c.Ping(t.Context(), "b-1"); !errors.Is(err, file.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := c.Put(t.Context(), at, "", bytes.NewReader(nil), 0); !errors.Is(err, file.ErrStorageWrite) {
		t.Error(err)
	}
	if _, err := c.Stat(t.Context(), at); !errors.Is(err, file.ErrStorageRead) {
		t.Error(err)
	}
}

// A crash while the gateway completes a multipart upload leaves a name behind that
// makes it answer "done" for ever.
func TestRecoverFromACrashWhileCompleting(t *testing.T) {
	ctx := t.Context()
	at := Layout{BucketPrefix: "crash"}.Object(1, file.NewID())
	id, err := shared.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	etag, err := shared.PutPart(ctx, at, id, 1, bytes.NewReader([]byte("hello")), 5)
	if err != nil {
		t.Fatal(err)
	}
	parts := []file.Part{{Number: 1, Size: 5, ETag: etag}}
	objects, sidecars := filepath.Join(shared.dir, "objects"), filepath.Join(shared.dir, "metadata")
	for _, root := range []string{objects, sidecars} {
		found, _ := filepath.Glob(filepath.Join(root, at.Bucket, ".sgwtmp/multipart/*", *ownID(id)))
		if len(found) != 1 {
			t.Fatalf("%d folders of the multipart upload in %s", len(found), root)
		}
		// The name that the gateway gives: the MD5 of the part's MD5.
		if err := os.Rename(found[0], found[0]+".c15a4bc9ab0b4f96c7ac3b2ed6d1a4a0-1.inprogress"); err != nil {
			t.Fatal(err)
		}
	}
	if err := recoverMultiparts(objects, sidecars); err != nil {
		t.Fatal(err)
	}
	if err := shared.Complete(ctx, at, id, parts); err != nil {
		t.Fatal(err)
	}
	if got := read(t, shared.Client, at, 0, 5); string(got) != "hello" {
		t.Fatalf("%q", got)
	}
	// What the gateway itself forgets to remove goes at the next start.
	if err := recoverMultiparts(objects, sidecars); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(sidecars, "*/.sgwtmp/multipart/*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFlushSharesAndNeverSkips(t *testing.T) {
	started, release := make(chan int), make(chan error)
	n := 0
	f := &flusher{flush: func() error { n++; started <- n; return <-release }}
	results := make(chan error, 10)
	go func() { results <- f.Flush(t.Context()) }()
	<-started
	f.mu.Lock()
	joins := f.next != nil
	f.mu.Unlock()
	if joins {
		t.Fatal("who comes now would be served by the flush that runs already")
	}
	for range 5 { // they come while the first flush runs: it does not count for them
		go func() { results <- f.Flush(t.Context()) }()
	}
	for waiting := false; !waiting; {
		f.mu.Lock()
		waiting = f.next != nil
		f.mu.Unlock()
	}
	release <- nil
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	second := <-started
	failure := errors.New("disk")
	go func() {
		// Whoever came too late for the second flush is served by a third.
		for {
			select {
			case <-started:
			case release <- failure:
			case <-t.Context().Done():
				return
			}
		}
	}()
	for range 5 {
		if err := <-results; err != failure {
			t.Errorf("%v, want the flush's error", err)
		}
	}
	if second != 2 {
		t.Errorf("flush %d", second)
	}
}

// One gateway a process: only where its socket would lie is looked at.
func TestPlaceOfTheSocket(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second time it finds what a killed process has left
		e := &Embedded{}
		socket, err := e.place(dir)
		if err != nil || socket != filepath.Join(dir, "s3.sock") || e.dir != "" {
			t.Fatal(socket, e.dir, err)
		}
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	deep := filepath.Join(dir, strings.Repeat("deep/", 30))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	e := &Embedded{}
	socket, err := e.place(deep)
	if err != nil || strings.HasPrefix(socket, deep) || e.dir == "" {
		t.Fatal(socket, e.dir, err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(socket)); !os.IsNotExist(err) {
		t.Errorf("its folder stays: %v", err)
	}
}
