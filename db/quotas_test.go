package db

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// uses checks an account's stored usage, and that Recount agrees.
func uses(t *testing.T, d *DB, account, bytes, files int64) {
	t.Helper()
	want := file.Usage{Bytes: bytes, Files: files}
	got, _, err := d.Usage(t.Context(), account)
	noErr(t, err)
	counted, used, err := d.Recount(t.Context(), account, false)
	noErr(t, err)
	if got != want || counted != want || used != want {
		t.Errorf("account %d uses %+v, counted %+v, adds up to %+v, want %+v", account, got, counted, used, want)
	}
}

// An account's usage follows its uploads through their states.
func TestUsage(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		create := func(change func(*file.Upload)) *file.Upload {
			u := newUpload()
			u.Sources = nil
			change(&u)
			return leased(t, d, u)
		}
		record := func(u *file.Upload) file.Record {
			r := file.Record{ID: u.ID, Name: "n", Type: "text/plain", Size: u.Size, UserID: 3, AccountID: 4,
				CreatedAt: time.Now(), Location: u.Location, ETag: "e"}
			noErr(t, d.Record(ctx, u.Fence(), u, r))
			return r
		}
		uses(t, d, 4, 0, 0)
		plain := create(func(u *file.Upload) {})
		uses(t, d, 4, 100, 1)
		plain = commit(t, d, plain, file.Progress{Offset: 100, Tails: []file.Tail{{Size: 100, Key: "t"}}})
		uses(t, d, 4, 100, 1)
		rec := record(plain)
		uses(t, d, 4, 100, 1)

		deferred := create(func(u *file.Upload) { u.Deferred, u.Size = true, 0 })
		uses(t, d, 4, 100, 2)
		deferred = commit(t, d, deferred, file.Progress{Offset: 30, Tails: []file.Tail{{Size: 30, Key: "t"}}})
		uses(t, d, 4, 130, 2)
		noErr(t, d.DeclareLength(ctx, deferred.Fence(), 50))
		uses(t, d, 4, 150, 2)
		noErr(t, d.DeleteUpload(ctx, deferred.Fence(), ""))
		uses(t, d, 4, 100, 1)
		noErr(t, d.ForgetUpload(ctx, deferred.ID))

		a, b := create(func(u *file.Upload) { u.Partial, u.Size = true, 20 }), create(func(u *file.Upload) {
			u.Partial,
				u.Size = true, 30
		})
		uses(t, d, 4, 150, 3)
		final := create(func(u *file.Upload) { u.Sources, u.Size = []file.ID{a.ID, b.ID}, 50 })
		uses(t, d, 4, 150, 3)
		final.Offset = 50
		was := final.Fence()
		was.Offset = 0
		noErr(t, d.Record(ctx, was, final, file.Record{ID: final.ID, Size: 50, AccountID: 4, CreatedAt: time.Now(),
			ETag: "e"}))
		uses(t, d, 4, 150, 2) // at once, not only when the parts are removed
		noErr(t, d.DeleteUpload(ctx, a.Fence(), ""))
		noErr(t, d.DeleteUpload(ctx, b.Fence(), ""))
		uses(t, d, 4, 150, 2)

		noErr(t, d.DeleteFile(ctx, rec))
		uses(t, d, 4, 50, 1)
		recorded := take(t, d, final.ID)
		noErr(t, d.DeleteUpload(ctx, recorded.Fence(), ""))
		uses(t, d, 4, 0, 0)
	})
}

// Records of other programs are counted when they are seen, and can be deleted before that.
func TestUsageOfForeignRecords(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		for _, id := range []string{"one", "two", "three"} {
			_, err := d.exec(ctx, "test",
				`insert into files (file_id, size, content_type, filename, account_id) values ($1, 7, 'text/plain', 'f', 4)`, id)
			noErr(t, err)
		}
		r, err := d.File(ctx, "one")
		noErr(t, err)
		noErr(t, d.DeleteFile(ctx, r))
		if u, _, _ := d.Usage(ctx, 4); u != (file.Usage{}) {
			t.Errorf("%+v", u)
		}
		if r, err = d.File(ctx, "two"); err != nil {
			t.Fatal(err)
		}
		r.Size, r.ETag, r.Location = 1000, "e", file.Location{Bucket: "b", Key: "two"}
		noErr(t, d.HealRecord(ctx, r))
		if u, _, _ := d.Usage(ctx, 4); u != (file.Usage{Bytes: 1000, Files: 1}) {
			t.Errorf("%+v", u)
		}
		r.ETag = "other"
		wantErr(t, d.HealRecord(ctx, r), file.ErrConflict)
		noErr(t, d.CountNew(ctx, 4))
		uses(t, d, 4, 1007, 2)
		_, err = d.exec(ctx, "test", `delete from files where file_id = 'three'`)
		noErr(t, err)
		counted, used, err := d.Recount(ctx, 4, true)
		noErr(t, err)
		if diff := cmp.Diff([]file.Usage{{Bytes: 1007, Files: 2}, {Bytes: 1000, Files: 1}},
			[]file.Usage{counted, used}); diff != "" {
			t.Error(diff)
		}
		uses(t, d, 4, 1000, 1)
	})
}

// begin begins an upload of this size in an account.
func begin(t *testing.T, d *DB, account, size int64) error {
	u := newUpload()
	u.Creator.AccountID, u.Size, u.Sources = account, size, nil
	return d.CreateUpload(t.Context(), u, "", 0)
}

// Concurrent uploads get what the quota allows, and no more.
func TestQuota(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		d.Limit(file.Quota{Bytes: 1000, Files: 50})
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for range 40 {
			wg.Go(func() {
				err := begin(t, d, 4, 100)
				if err == nil {
					mu.Lock()
					got++
					mu.Unlock()
				} else if !errors.Is(err, file.ErrQuota) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got != 10 {
			t.Errorf("%d uploads of 100 bytes in a quota of 1000", got)
		}
		uses(t, d, 4, 1000, 10)
		noErr(t, begin(t, d, 4, 0)) // no bytes are requested
		noErr(t, begin(t, d, 5, 1000))
		wantErr(t, begin(t, d, 6, 1001), file.ErrQuota)
	})
}

// An account may have a quota of its own: each half replaces the default, 0 is no limit, and a refusal says which
// number was exceeded.
func TestQuotaOfAnAccount(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		d.Limit(file.Quota{Bytes: 1000, Files: 50})
		refused := func(size int64, reason string) {
			t.Helper()
			err := begin(t, d, 4, size)
			var refusal *file.Refusal
			if !errors.Is(err, file.ErrQuota) || !errors.As(err, &refusal) || refusal.Reason != reason {
				t.Error(err)
			}
		}
		noErr(t, begin(t, d, 4, 1000))
		noErr(t, begin(t, d, 5, 1000))
		one, none, more := int64(1), int64(0), int64(1500)
		noErr(t, d.SetQuota(ctx, 4, nil, &one))
		refused(0, "Quota of 1 files exceeded: account 4 has 1 files")
		noErr(t, d.SetQuota(ctx, 4, nil, &none))
		noErr(t, begin(t, d, 4, 0))
		refused(1, "Quota of 1000 bytes exceeded: account 4 uses 1000 bytes, 1 more are asked for")
		noErr(t, d.SetQuota(ctx, 4, &more, nil))
		noErr(t, begin(t, d, 4, 500))
		all, err := d.Usages(ctx, 0, 10)
		want := []file.AccountUse{
			{ID: 4, Usage: file.Usage{Bytes: 1500, Files: 3}, Quota: file.Quota{Bytes: 1500}, Own: true},
			{ID: 5, Usage: file.Usage{Bytes: 1000, Files: 1}, Quota: file.Quota{Bytes: 1000, Files: 50}}}
		if diff := cmp.Diff(want, all); err != nil || diff != "" {
			t.Error(err, diff)
		}
		noErr(t, d.ClearQuota(ctx, 4))
		wantErr(t, begin(t, d, 4, 1), file.ErrQuota)
	})
}

// If the length is unknown, bytes are reserved as they arrive, and the rest once the length is declared.
func TestQuotaWithoutALength(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		d.Limit(file.Quota{Bytes: 1000})
		u := newUpload()
		u.Creator.AccountID, u.Deferred, u.Size, u.Sources = 7, true, 0, nil
		at := leased(t, d, u)
		at = commit(t, d, at, file.Progress{Offset: 900, Tails: []file.Tail{{Size: 900, Key: "t"}}})
		wantErr(t, d.DeclareLength(ctx, at.Fence(), 1001), file.ErrQuota)
		_, err := d.Commit(ctx, at.Fence(), file.Progress{Offset: 1001,
			Tails: []file.Tail{{Offset: 900, Size: 101, Key: "t2"}}})
		wantErr(t, err, file.ErrQuota)
		uses(t, d, 7, 900, 1)
		noErr(t, d.DeclareLength(ctx, at.Fence(), 1000))
		uses(t, d, 7, 1000, 1)
	})
}

// Failed parts are still in the store, so they count until the upload ends or its multipart upload is dropped.
func TestPartsThatFailedCount(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		d.Limit(file.Quota{Bytes: 250})
		for _, deferred := range []bool{false, true} {
			u := newUpload()
			u.Sources, u.Deferred = nil, deferred
			first := leased(t, d, u)
			for range 2 {
				_, err := d.TakePart(ctx, first.Fence(), 100)
				noErr(t, err)
			}
			uses(t, d, 4, 200, 1)
			_, err := d.TakePart(ctx, first.Fence(), 100)
			wantErr(t, err, file.ErrQuota)
			uses(t, d, 4, 200, 1)
			first = commit(t, d, first, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}})
			uses(t, d, 4, 200, 1)
			noErr(t, d.DropMultipart(ctx, first.Fence()))
			if deferred {
				uses(t, d, 4, 10, 1)
			} else {
				uses(t, d, 4, 100, 1)
			}
			_, err = d.TakePart(ctx, first.Fence(), 100)
			noErr(t, err)
			noErr(t, d.DeleteUpload(ctx, first.Fence(), ""))
			uses(t, d, 4, 0, 0)
		}
	})
}

// An identity can have only so many unfinished uploads, even if they are begun at the same time. Uploads of others,
// finished ones, and those that end with their request don't count.
func TestUnfinishedUploads(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		d.LimitUnfinished(5)
		begin := func(change func(*file.Upload)) (file.Upload, error) {
			u := newUpload()
			u.Sources, u.Size = nil, 0
			change(&u)
			return u, d.CreateUpload(ctx, u, "h", time.Minute)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var begun []file.Upload
		for i := range 20 {
			wg.Go(func() {
				u, err := begin(func(u *file.Upload) { u.Partial = i%2 == 0 })
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					begun = append(begun, u)
				} else if !errors.Is(err, file.ErrQuota) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(begun) != 5 {
			t.Errorf("%d were begun", len(begun))
		}
		uses(t, d, 4, 0, 5)
		_, err := begin(func(u *file.Upload) { u.Creator.UserID++ })
		noErr(t, err)
		_, err = begin(func(u *file.Upload) { u.TTL = 0 })
		noErr(t, err)
		_, err = begin(func(u *file.Upload) { u.Sources = []file.ID{begun[0].ID} })
		noErr(t, err)
		noErr(t, d.DeleteUpload(ctx, file.Fence{ID: begun[0].ID, Epoch: 1, State: file.Open}, ""))
		_, err = begin(func(*file.Upload) {})
		noErr(t, err)
		_, err = begin(func(*file.Upload) {})
		wantErr(t, err, file.ErrQuota)
	})
}
