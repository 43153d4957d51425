package db

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

func TestGrants(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		r := record(t, d)
		private := file.Grant{Access: file.Private}
		is := func(want file.Grant) {
			t.Helper()
			got, err := d.Grant(ctx, r.ID)
			noErr(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		is(private)
		for _, g := range []file.Grant{
			{Access: file.Public}, {Access: file.Account}, private,
			{Access: file.Restricted, Users: []int64{2, 10, 2147483648}, Groups: []string{"c", "ä 'b'"},
				Tokens: []string{"f", "g"}},
			{Access: file.Restricted, Groups: []string{"c"}}, {Access: file.Public},
		} {
			noErr(t, d.SetGrant(ctx, r.ID, g))
			is(g)
		}
		wantErr(t, d.SetGrant(ctx, "none", private), file.ErrNotFound)

		// Of several concurrent SetGrants one wins, as a whole.
		var wg sync.WaitGroup
		for i := range int64(8) {
			wg.Go(func() {
				if err := d.SetGrant(ctx, r.ID, file.Grant{Access: file.Restricted, Users: []int64{i + 1, i + 101}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := d.Grant(ctx, r.ID)
		noErr(t, err)
		if len(got.Users) != 2 || got.Users[1] != got.Users[0]+100 {
			t.Errorf("a mixture: %+v", got)
		}

		// The grant is removed with the file, and does not come back with another file of that id.
		noErr(t, d.DeleteFile(ctx, r))
		is(private)
	})
}

// A kind of grant that this version does not know grants nothing.
func TestUnknownGrant(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		r := record(t, d)
		_, err := d.sql.ExecContext(t.Context(), `insert into grants (file_id, kind, name) values ($1, 'everybody but', '7')`,
			r.ID)
		noErr(t, err)
		if g, err := d.Grant(t.Context(), r.ID); err == nil {
			t.Errorf("%+v", g)
		}
	})
}

func TestUploaderAndGroups(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := newUpload()
		u.Creator = file.Identity{Kind: file.KindPublic, AccountID: 3, Fingerprint: "print"}
		now := leased(t, d, u)
		noErr(t, d.Record(ctx, now.Fence(), now, file.Record{ID: u.ID, Name: "a", Type: "b", AccountID: 3,
			Uploader: "print"}))
		r, err := d.File(ctx, u.ID)
		if err != nil || r.Uploader != "print" || r.UserID != 0 {
			t.Errorf("%+v %v", r, err)
		}
		noErr(t, d.CreateToken(ctx, file.Token{ID: "a", Hash: []byte("ha"), UserID: 1, AccountID: 2,
			Groups: []string{"b, c", "a"}}))
		noErr(t, d.CreateToken(ctx, file.Token{ID: "s", Hash: []byte("hs"), AccountID: 2}))
		a, err := d.Token(ctx, []byte("ha"))
		noErr(t, err)
		s, err := d.Token(ctx, []byte("hs"))
		noErr(t, err)
		all, err := d.Tokens(ctx)
		noErr(t, err)
		if !slices.Equal(a.Groups, []string{"b, c", "a"}) || s.Groups != nil || s.UserID != 0 || len(all) != 2 ||
			!slices.Equal(all[0].Groups, a.Groups) {
			t.Errorf("%+v %+v %+v", a, s, all)
		}
	})
}
