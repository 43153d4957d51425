package download

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// tagged is a store that records the ETag with which bytes are requested, and breaks off after two of them.
type tagged struct{ tags []string }

func (s *tagged) Read(_ context.Context, _ file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	s.tags = append(s.tags, etag)
	broken := io.MultiReader(strings.NewReader("abcdef"[offset:min(offset+2, offset+length, 6)]), failing{})
	return io.NopCloser(io.LimitReader(broken, length)), nil
}

func (s *tagged) Stat(context.Context, file.Location) (storage.Object, error) {
	return storage.Object{}, errors.New("not in this test")
}

// pieces records what is written to it.
type pieces struct {
	http.ResponseWriter
	all []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.all = append(p.all, string(b))
	return len(b), nil
}

// A short range goes out as one piece, also if the store breaks off meanwhile. If it stays broken, what came is sent.
func TestShortRangeIsOnePiece(t *testing.T) {
	for size, want := range map[int64]string{6: "abcdef", 9: "abcdef"} {
		o := &object{ctx: t.Context(), objects: &tagged{}, record: file.Record{Size: size}, stall: time.Minute,
			resumes: func() {}, reopened: func() {}}
		if err := o.openFirst(size, false); err != nil {
			t.Fatal(err)
		}
		to := &pieces{ResponseWriter: httptest.NewRecorder()}
		w := &response{ResponseWriter: to, h: New(Options{WriteTimeout: time.Minute}), object: o}
		n, err := w.ReadFrom(&io.LimitedReader{R: o, N: size})
		o.Close()
		if len(to.all) != 1 || to.all[0] != want || n != int64(len(want)) || (err == nil) != (n == size) {
			t.Errorf("%d bytes: %q, %d, %v", size, to.all, n, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// The store is asked for the recorded object at the start and on every retry.
func TestOpenUnderTheRecordedTag(t *testing.T) {
	s := &tagged{}
	o := &object{ctx: t.Context(), objects: s, record: file.Record{Size: 6, ETag: `"recorded"`}, stall: time.Minute,
		resumes: func() {}, reopened: func() {}}
	defer o.Close()
	if err := o.openFirst(6, false); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.LimitReader(o, 6)); err != nil || string(got) != "abcdef" {
		t.Fatalf("%q %v", got, err)
	}
	if len(s.tags) != 3 {
		t.Errorf("opened %d times, want 3", len(s.tags))
	}
	for _, tag := range s.tags {
		if tag != `"recorded"` {
			t.Errorf("opened under the tag %q", tag)
		}
	}
}
