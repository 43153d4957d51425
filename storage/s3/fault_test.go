package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// A fault that stays is retried a limited number of times; a request that is refused is not sent again.
func TestFaultsThatStay(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s, hasty)
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

// If an object is replaced while it is being read, reading fails instead of going on with the other object.
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
