package hooks

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/storage"
)

// rows keeps what the hooks write; the suite over real databases is in db and tus.
type rows struct {
	uploads []file.Upload
	records []file.Record
	keys    []string
}

func (r *rows) CreateUpload(_ context.Context, u file.Upload, _ string, _ time.Duration) error {
	r.uploads = append(r.uploads, u)
	return nil
}

func (r *rows) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string, _ time.Duration) error {
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
	return New(r, Settings{Layout: storage.Layout{BucketPrefix: "pre"}, MaxSize: cap, TTL: time.Hour, Now: func() time.Time { return time.Unix(1, 0) }}), r
}

func as(who file.Identity) context.Context { return auth.NewContext(context.Background(), who) }

var user = file.Identity{Kind: file.KindUser, UserID: 5, AccountID: 9}

func TestPreCreate(t *testing.T) {
	h, r := newHooks(100 << 20)
	u, err := h.PreCreate(as(user), Creation{Size: 100 << 20, Name: "../étoile.png", Type: "IMAGE/PNG; x=y", Metadata: "raw"})
	if err != nil {
		t.Fatal(err)
	}
	want := file.Upload{ID: u.ID, Creator: user, Location: file.Location{Bucket: "pre-9", Key: string(u.ID)},
		Name: "étoile.png", Type: "image/png", Metadata: "raw", Size: 100 << 20, PartSize: 8 << 20, State: file.Open, TTL: time.Hour, Expires: time.Unix(3601, 0)}
	if diff := cmp.Diff([]file.Upload{want}, r.uploads); diff != "" {
		t.Error(diff)
	}

	u, err = h.PreCreate(as(user), Creation{Deferred: true})
	if err != nil || u.Name != file.DefaultName || u.Type != file.DefaultType {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := h.PreCreate(as(user), Creation{Size: 100<<20 + 1}); !errors.Is(err, file.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := h.PreCreate(context.Background(), Creation{}); !errors.Is(err, file.ErrUnauthenticated) {
		t.Error(err)
	}
	if len(r.uploads) != 2 {
		t.Errorf("%d rows, refused uploads leave none", len(r.uploads))
	}
}

func TestChunkedPartSize(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ planned, chunk, longest, want int64 }{
		{8 * mib, 5 * mib, 100 * mib, 5 * mib},
		{8 * mib, 6 * mib, 100 * mib, 6 * mib},
		{8 * mib, 5*mib + 1, 100 * mib, 5*mib + 1},
		{8 * mib, 8 * mib, 100 * mib, 8 * mib},
		{8 * mib, 10 * mib, 100 * mib, 5 * mib},
		{8 * mib, 16 * mib, 100 * mib, 8 * mib},
		{8 * mib, 50 * mib, 100 * mib, 50 * mib / 8},
		{8 * mib, 5*mib - 1, 100 * mib, 8 * mib},           // S3 would not take it
		{8 * mib, 9 * mib, 100 * mib, 8 * mib},             // nor half of it
		{8 * mib, 10*mib + 1, 100 * mib, 8 * mib},          // no even share
		{8 * mib, 5 * mib, 9000 * 5 * mib, 5 * mib},        // just enough parts
		{8 * mib, 5 * mib, 9000*5*mib + 1, 8 * mib},        // too many
		{583 * mib, 5 * mib, 5 << 40, 583 * mib},           // far too many
		{583 * mib, 600 * mib, 100 << 30, 300 * mib},       // of large parts, too
		{8 * mib, 1<<40 + 1, 5 << 40, 8 * mib},             // not looked for for long
		{8 * mib, 0, 100 * mib, 8 * mib},                   // no bytes
		{8 * mib, -1, 100 * mib, 8 * mib},                  // not declared
		{8 * mib, 1<<63 - 1, 1<<63 - 1, 8 * mib},           // no overflow
		{8 * mib, 8 * mib * 64, 100 * mib * 9000, 8 * mib}, // the most parts of one request
	} {
		if got := ChunkedPartSize(c.planned, c.chunk, c.longest); got != c.want {
			t.Errorf("ChunkedPartSize(%d, %d, %d) = %d, want %d", c.planned, c.chunk, c.longest, got, c.want)
		}
	}
}

func TestPreCreateOfWhatComesAtOnce(t *testing.T) {
	h, r := newHooks(100 << 20)
	u, err := h.PreCreate(as(user), Creation{Deferred: true, Once: true, Key: "k", Holder: "me", Lease: time.Second})
	if err != nil || u.TTL != 0 || !u.Expires.Equal(time.Unix(1, 0)) || !u.Held || u.Epoch != 1 {
		t.Errorf("%+v %v: it should run out with its lease", u, err)
	}
	if diff := cmp.Diff([]string{"k"}, r.keys); diff != "" {
		t.Error(diff)
	}
}

func TestPartSize(t *testing.T) {
	h, _ := newHooks(5 << 40)
	for _, c := range []struct {
		c    Creation
		want int64
	}{
		{Creation{Size: 0}, 8 << 20},
		{Creation{Size: 9000 * 8 << 20}, 8 << 20},
		{Creation{Size: 9000*8<<20 + 1}, 9 << 20},
		{Creation{Size: 5 << 40}, 583 << 20},
		{Creation{Deferred: true}, 583 << 20},
	} {
		got := h.partSize(c.c)
		if got != c.want {
			t.Errorf("%+v: parts of %d, want %d", c.c, got, c.want)
		}
		if parts := (c.c.Size + got - 1) / got; parts > maxPlannedParts {
			t.Errorf("%+v: %d parts", c.c, parts)
		}
	}
}

// Whoever is asked is asked about every upload.
func TestAskedAboutPartialUploads(t *testing.T) {
	h, r := newHooks(100)
	var asked []Creation
	h.Settings.Ask = func(_ context.Context, _ file.Identity, c Creation) (string, string, error) {
		asked = append(asked, c)
		return "", "", file.ErrForbidden
	}
	for _, c := range []Creation{{Size: 1}, {Size: 1, Partial: true}, {Size: 2, Sources: []file.ID{"a", "b"}}, {Deferred: true, Once: true}} {
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
	u := &file.Upload{ID: "x", Creator: user, Name: "n", Type: "t", Location: file.Location{Bucket: "b", Key: "k"}, ETag: "e"}
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

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestParseMetadata(t *testing.T) {
	for _, c := range []struct {
		header string
		want   map[string]string // nil: refused
	}{
		{"", map[string]string{}},
		{"filename " + b64("a.txt"), map[string]string{"filename": "a.txt"}},
		{"name " + b64("ä") + ",type " + b64("image/png"), map[string]string{"name": "ä", "type": "image/png"}},
		{" name  " + b64("x") + " , flag , ", map[string]string{"name": "x", "flag": ""}},
		{"name a", nil},
		{"name YQ", nil},   // without padding
		{"name YR==", nil}, // bits beyond the value
		{"name YQ== more", nil},
		{"name YQ==,name YQ==", nil},
		{"näme YQ==", nil},
		{"a\tb YQ==", nil},
		{"name " + strings.Repeat("YWFh", 1100), nil},
	} {
		got, err := ParseMetadata(c.header)
		if c.want == nil {
			if !errors.Is(err, file.ErrInvalid) {
				t.Errorf("%q: %v, %v", c.header, got, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%q: %s %v", c.header, diff, err)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add("filename d29ybGQ=,is_confidential")
	f.Add("a YQ==,a YQ==")
	f.Fuzz(func(t *testing.T, header string) {
		pairs, err := ParseMetadata(header)
		if err != nil {
			if !errors.Is(err, file.ErrInvalid) {
				t.Errorf("%q: %v", header, err)
			}
			return
		}
		// What was read can be written again and read alike.
		var again []string
		for k, v := range pairs {
			again = append(again, k+" "+b64(v))
		}
		joined := strings.Join(again, ",")
		if len(joined) > MaxMetadata {
			return
		}
		if got, err := ParseMetadata(joined); err != nil || cmp.Diff(pairs, got) != "" {
			t.Errorf("%q: %v %v", header, got, err)
		}
	})
}
