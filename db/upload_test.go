package db

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// The rows of one upload, from its creation to its record.
func TestUploadFromRowToRecord(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		in := newUpload()
		u := leased(t, d, in)
		in.Epoch, in.Held = 1, true
		if left := time.Until(u.Expires); left < 50*time.Minute || left > 70*time.Minute || u.Expired {
			t.Errorf("it expires in %s", left)
		}
		in.Expires = u.Expires
		if diff := cmp.Diff(&in, u); diff != "" {
			t.Fatal(diff)
		}
		u = commitTails(t, d, u)
		u = commitParts(t, d, u)
		recordUpload(t, d, u)
	})
}

// commitTails commits two tails, and then one that replaces the second.
func commitTails(t *testing.T, d *DB, u *file.Upload) *file.Upload {
	t.Helper()
	u = commit(t, d, u, file.Progress{Offset: 10, HashState: []byte{1},
		Tails: []file.Tail{{Offset: 0, Size: 10, Key: "t1"}}})
	u = commit(t, d, u, file.Progress{Offset: 30, HashState: []byte{2},
		Tails: []file.Tail{{Offset: 10, Size: 20, Key: "t2"}}})
	if u.TailSize() != 30 || len(u.Tails) != 2 || u.Offset != 30 || !bytes.Equal(u.HashState, []byte{2}) {
		t.Fatalf("%+v", u)
	}
	u = commit(t, d, u, file.Progress{Offset: 35, HashState: []byte{3},
		Tails: []file.Tail{{Offset: 10, Size: 25, Key: "t3", CRC32: "AAAAAA=="}}})
	if diff := cmp.Diff([]file.Tail{{Offset: 0, Size: 10, Key: "t1"}, {Offset: 10, Size: 25, Key: "t3",
		CRC32: "AAAAAA=="}},
		u.Tails); diff != "" {
		t.Fatal(diff)
	}
	return u
}

// commitParts commits parts that replace all tails, and a tail behind them.
func commitParts(t *testing.T, d *DB, u *file.Upload) *file.Upload {
	t.Helper()
	ctx := t.Context()
	for want := int32(1); want <= 3; want++ { // the second part failed: its number is used up
		n, err := d.TakePart(ctx, u.Fence(), 50)
		noErr(t, err)
		if n != want {
			t.Fatalf("part %d, want %d", n, want)
		}
	}
	noErr(t, d.SetMultipart(ctx, u.Fence(), "key", file.Multipart{ID: "mp", Sums: true}, 60))
	parts := []file.Part{{Number: 1, Offset: 0, Size: 50, ETag: "e1", CRC32: "c1"},
		{Number: 3, Offset: 50, Size: 40, ETag: "e3"}}
	u = commit(t, d, u, file.Progress{Offset: 100, HashState: []byte{4}, Parts: parts,
		Tails: []file.Tail{{Offset: 90, Size: 10, Key: "t4"}}})
	got, err := d.Parts(ctx, u.ID)
	noErr(t, err)
	if diff := cmp.Diff(parts, got); diff != "" || len(u.Tails) != 1 ||
		u.Multipart != (file.Multipart{ID: "mp", Sums: true}) || u.PartSize != 60 || !u.Complete() {
		t.Fatalf("%s %+v", diff, u)
	}
	return u
}

// recordUpload completes and records u. Neither works twice, nor with a fence of the state before.
func recordUpload(t *testing.T, d *DB, u *file.Upload) {
	t.Helper()
	ctx := t.Context()
	noErr(t, d.Advance(ctx, u.Fence(), file.Completing, ""))
	wantErr(t, d.Advance(ctx, u.Fence(), file.Completing, ""), file.ErrConflict)
	was := u.Fence()
	u = reload(t, d, u.ID)
	u.ETag = "whole"
	rec := file.Record{ID: u.ID, Name: u.Name, Type: u.Type, Size: 100, UserID: 3, AccountID: 4,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
		Location:  u.Location, ETag: "whole", SHA256: bytes.Repeat([]byte{7}, 32)}
	wantErr(t, d.Record(ctx, was, u, rec), file.ErrConflict)
	_, err := d.File(ctx, u.ID)
	wantErr(t, err, file.ErrNotFound)
	noErr(t, d.Record(ctx, u.Fence(), u, rec))
	kept, err := d.File(ctx, u.ID)
	noErr(t, err)
	if diff := cmp.Diff(rec, kept); diff != "" {
		t.Fatal(diff)
	}
	if u = reload(t, d, u.ID); u.State != file.Recorded || u.ETag != "whole" || u.Held || len(u.Tails) != 0 {
		t.Fatalf("%+v", u)
	}
}
