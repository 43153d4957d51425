package hooks

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/storage"
	"holdfast/upload"
)

// rows stores what the hooks write; packages db and tus test with real databases.
type rows struct {
	uploads []file.Upload
	records []file.Record
	keys    []string
}

func (r *rows) CreateUpload(_ context.Context, u file.Upload, _ string, _ time.Duration) error {
	r.uploads = append(r.uploads, u)
	return nil
}

func (r *rows) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string,
	_ time.Duration) error {
	r.keys = append(r.keys, key)
	return r.CreateUpload(ctx, u, holder, lease)
}

func (r *rows) Record(_ context.Context, _ file.Fence, _ *file.Upload, rec file.Record) error {
	r.records = append(r.records, rec)
	return nil
}

func (r *rows) Emit(context.Context, file.EventKind, file.Subject) error { return nil }

func newHooks(cap int64) (*Hooks, *rows) {
	r := &rows{}
	return New(r, Settings{Layout: storage.Layout{BucketPrefix: "pre"}, MaxSize: cap, TTL: time.Hour,
		Now: func() time.Time { return time.Unix(1, 0) }}), r
}

func as(who file.Identity) context.Context { return auth.NewContext(context.Background(), who) }

var user = file.Identity{Kind: file.KindUser, UserID: 5, AccountID: 9}

func TestPreCreate(t *testing.T) {
	h, r := newHooks(100 << 20)
	u, err := h.PreCreate(as(user), upload.Creation{Size: 100 << 20, Name: "../étoile.png", Type: "IMAGE/PNG; x=y",
		Metadata: "raw"})
	if err != nil {
		t.Fatal(err)
	}
	want := file.Upload{ID: u.ID, Creator: user, Location: file.Location{Bucket: "pre-9", Key: string(u.ID)},
		Name: "étoile.png", Type: "image/png", Metadata: "raw", Size: 100 << 20, PartSize: 8 << 20, State: file.Open,
		TTL: time.Hour, Expires: time.Unix(3601, 0)}
	if diff := cmp.Diff([]file.Upload{want}, r.uploads); diff != "" {
		t.Error(diff)
	}

	u, err = h.PreCreate(as(user), upload.Creation{Deferred: true})
	if u.PartSize != upload.PartSize(100<<20) { // its length may reach the cap
		t.Errorf("parts of %d bytes", u.PartSize)
	}
	if err != nil || u.Name != file.DefaultName || u.Type != file.DefaultType {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := h.PreCreate(as(user), upload.Creation{Size: 100<<20 + 1}); !errors.Is(err, file.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := h.PreCreate(context.Background(), upload.Creation{}); !errors.Is(err, file.ErrUnauthenticated) {
		t.Error(err)
	}
	if len(r.uploads) != 2 {
		t.Errorf("%d rows, refused uploads leave none", len(r.uploads))
	}
}

// An upload whose length is known needs space for all of its bytes, and others for the first.
func TestRoomOfUploads(t *testing.T) {
	h, r := newHooks(100)
	h.Settings.Room = func(bytes int64) error {
		if bytes > 50 {
			return file.ErrNoSpace
		}
		return nil
	}
	for _, c := range []upload.Creation{{Size: 50}, {Deferred: true}, {Size: 60, Sources: []file.ID{"a", "b"}}} {
		if _, err := h.PreCreate(as(user), c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []upload.Creation{{Size: 51}, {Size: 51, Partial: true}} {
		if _, err := h.PreCreate(as(user), c); !errors.Is(err, file.ErrNoSpace) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	h.Settings.Room = func(int64) error { return file.ErrNoSpace }
	if _, err := h.PreCreate(as(user), upload.Creation{Deferred: true}); !errors.Is(err, file.ErrNoSpace) {
		t.Error(err)
	}
	if len(r.uploads) != 3 {
		t.Errorf("%d rows, refused uploads leave none", len(r.uploads))
	}
}

func TestPreCreateOfWhatComesAtOnce(t *testing.T) {
	h, r := newHooks(100 << 20)
	u, err := h.PreCreate(as(user), upload.Creation{Deferred: true, Once: true, Key: "k", Holder: "me",
		Lease: time.Second})
	if err != nil || u.TTL != 0 || !u.Expires.Equal(time.Unix(1, 0)) || !u.Held || u.Epoch != 1 {
		t.Errorf("%+v %v: it should run out with its lease", u, err)
	}
	if diff := cmp.Diff([]string{"k"}, r.keys); diff != "" {
		t.Error(diff)
	}
}

// PRE_CREATE_URL is asked about every upload, partial ones, too.
func TestAskedAboutPartialUploads(t *testing.T) {
	h, r := newHooks(100)
	var asked []upload.Creation
	h.Settings.Ask = func(_ context.Context, _ file.Identity, c upload.Creation) (string, string, error) {
		asked = append(asked, c)
		return "", "", file.ErrForbidden
	}
	for _, c := range []upload.Creation{{Size: 1}, {Size: 1, Partial: true}, {Size: 2, Sources: []file.ID{"a", "b"}},
		{Deferred: true, Once: true}} {
		if _, err := h.PreCreate(as(user), c); !errors.Is(err, file.ErrForbidden) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if len(asked) != 4 || len(r.uploads) != 0 {
		t.Errorf("asked %d times, %d rows", len(asked), len(r.uploads))
	}
}

func TestPostFinish(t *testing.T) {
	h, r := newHooks(1)
	u := &file.Upload{ID: "x", Creator: user, Name: "n", Type: "t", Location: file.Location{Bucket: "b", Key: "k"},
		ETag: "e"}
	if err := h.PostFinish(context.Background(), u.Fence(), u); err != nil {
		t.Fatal(err)
	}
	if len(r.records) != 1 || len(r.records[0].SHA256) != 32 || r.records[0].Location != u.Location {
		t.Errorf("%+v", r.records)
	}
	u.HashState = []byte("not a state")
	if err := h.PostFinish(context.Background(), u.Fence(), u); err == nil {
		t.Error("a broken hash state is taken")
	}
}
