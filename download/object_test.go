package download

import (
	"context"
	"errors"
	"io"
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
	broken := io.MultiReader(strings.NewReader("abcdef"[offset:min(offset+2, offset+length)]), failing{})
	return io.NopCloser(io.LimitReader(broken, length)), nil
}

func (s *tagged) Stat(context.Context, file.Location) (storage.Object, error) {
	return storage.Object{}, errors.New("not in this test")
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
