package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/storage"
	"holdfast/storage/storagetest"
)

// shared is the one embedded store that a process can have.
var shared struct {
	*Store
	dir string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "holdfast-storage-")
	if err != nil {
		panic(err)
	}
	shared.dir = dir
	shared.Store, err = Open(context.Background(), dir, Options{})
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

func TestStore(t *testing.T) {
	storagetest.Run(t, shared.Store, storagetest.PlainKeys, storagetest.CompletesUnknown)
}

// A crash while the gateway completes a multipart upload leaves a name behind that
// makes it answer "done" for ever.
func TestRecoverFromACrashWhileCompleting(t *testing.T) {
	ctx := t.Context()
	at := storage.Layout{BucketPrefix: "crash"}.Object(1, file.NewID())
	m, err := shared.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	part, err := shared.PutPart(ctx, at, m, 1, bytes.NewReader([]byte("hello")), 5)
	if err != nil {
		t.Fatal(err)
	}
	parts := []file.Part{part}
	objects, sidecars := filepath.Join(shared.dir, "objects"), filepath.Join(shared.dir, "metadata")
	for _, root := range []string{objects, sidecars} {
		found, _ := filepath.Glob(filepath.Join(root, at.Bucket, ".sgwtmp/multipart/*", m.ID))
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
	if err := shared.Complete(ctx, at, m, parts); err != nil {
		t.Fatal(err)
	}
	r, err := shared.Open(ctx, at, "", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); string(got) != "hello" || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	// What the gateway itself forgets to remove goes at the next start.
	if err := recoverMultiparts(objects, sidecars); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(sidecars, at.Bucket, ".sgwtmp/multipart/*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	// Other tests leave unfinished uploads in the same store: their metadata is still that of parts.
	all, _ := filepath.Glob(filepath.Join(sidecars, "*/.sgwtmp/multipart/*"))
	for _, left := range all {
		if _, err := os.Stat(strings.Replace(left, sidecars, objects, 1)); err != nil {
			t.Errorf("metadata without parts: %v", err)
		}
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
		e := &Store{}
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
	e := &Store{}
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
