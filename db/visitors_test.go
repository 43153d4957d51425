package db

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

// A visitor of a form can have a tenth of the unfinished uploads that the form can have, which all visitors share. A
// row of the version before counts as one of the form's, and of no visitor's.
func TestUnfinishedUploadsOfVisitors(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		d.LimitUnfinished(15)
		begin := func(form, visitor string) (file.Upload, error) {
			u := newUpload()
			u.Sources, u.Size, u.Epoch = nil, 0, 1
			u.Creator = file.Identity{Kind: file.KindPublic, AccountID: 4, Fingerprint: form, Visitor: visitor}
			return u, d.CreateUpload(ctx, u, "h", time.Minute)
		}
		refused := func(form, visitor, quota string) {
			t.Helper()
			if _, err := begin(form, visitor); !errors.Is(err, file.ErrQuota) || !strings.Contains(err.Error(), quota) {
				t.Errorf("visitor %s of %s: %v, want %q", visitor, form, err, quota)
			}
		}
		one := "Quota of 2 unfinished uploads of one visitor exceeded"
		var last file.Upload
		for i := range 7 {
			visitor := fmt.Sprint(i)
			_, err := begin("f", visitor)
			noErr(t, err)
			last, err = begin("f", visitor)
			noErr(t, err)
			refused("f", visitor, one)
		}
		_, err := d.exec(ctx, "as the version before", `insert into uploads (id, creator_kind, user_id, account_id,
			fingerprint, bucket, object_key, name, type, metadata, size, deferred, part_size, ttl, state, created)
			values ($1, 'public', 0, 4, 'f', '', '', '', '', '', 0, false, 0, 3600000, 'open', {now})`, file.NewID())
		noErr(t, err)
		refused("f", "7", "Quota of 15 unfinished uploads of all visitors of this form exceeded")
		refused("f", "6", one)
		_, err = begin("g", "6") // another form
		noErr(t, err)
		noErr(t, d.DeleteUpload(ctx, last.Fence(), ""))
		_, err = begin("f", "6")
		noErr(t, err)
	})
}

// No upload says which visitor began it when it has ended.
func TestVisitorsAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		visitorOf := func(id file.ID) (visitor string) {
			t.Helper()
			noErr(t, d.row(ctx, "test", `select visitor from uploads where id = $1`, []any{id}, &visitor))
			return visitor
		}
		for name, end := range map[string]func(file.Upload) error{
			"recorded": func(u file.Upload) error { return d.Record(ctx, u.Fence(), &u, file.Record{ID: u.ID, AccountID: 4}) },
			"deleted":  func(u file.Upload) error { return d.DeleteUpload(ctx, u.Fence(), "") },
		} {
			u := newUpload()
			u.Creator = file.Identity{Kind: file.KindPublic, AccountID: 4, Fingerprint: "f", Visitor: "v"}
			u.Sources, u.State, u.Epoch = nil, file.Open, 1
			noErr(t, d.CreateUpload(ctx, u, "h", time.Minute))
			if got := visitorOf(u.ID); got != "v" {
				t.Errorf("%s, before: %q", name, got)
			}
			noErr(t, end(u))
			if got := visitorOf(u.ID); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}
