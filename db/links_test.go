package db

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

func TestKeptLinks(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		foreign(t, d, "one", 4)
		foreign(t, d, "two", 4)
		maker := file.Identity{Kind: file.KindUser, UserID: 5_000_000_000, AccountID: 4, Fingerprint: "f",
			Groups: []string{"a", "b c"}}
		make := func(id string, of file.ID, ttl time.Duration) {
			t.Helper()
			noErr(t, d.CreateLink(ctx, file.Link{ID: id, File: of, Maker: maker, Sealed: []byte{0, 1},
				ExpiresAt: time.Now().Add(ttl)}))
		}
		make("a", "one", time.Hour)
		make("b", "one", time.Hour)
		make("c", "two", time.Hour)
		make("old", "two", -time.Minute)
		l, err := d.Link(ctx, "a")
		noErr(t, err)
		if l.File != "one" || l.Maker.UserID != maker.UserID || l.Maker.Kind != file.KindUser || len(l.Maker.Groups) != 2 ||
			string(l.Sealed) != "\x00\x01" {
			t.Errorf("%+v", l)
		}
		_, err = d.Link(ctx, "old")
		wantErr(t, err, file.ErrNotFound)
		wantErr(t, d.CreateLink(ctx, file.Link{ID: "x", File: "gone", ExpiresAt: time.Now().Add(time.Hour)}),
			file.ErrNotFound)
		wantErr(t, d.EndLink(ctx, "two", "a"), file.ErrNotFound) // of another file
		noErr(t, d.EndLink(ctx, "one", "a"))
		wantErr(t, d.EndLink(ctx, "one", "a"), file.ErrNotFound)
		all, err := d.Links(ctx, "one", file.Link{}, 10)
		noErr(t, err)
		if len(all) != 1 || all[0].ID != "b" {
			t.Errorf("%+v", all)
		}
		noErr(t, d.EndLinks(ctx, "one"))
		noErr(t, d.EndLinks(ctx, "one"))
		_, err = d.Link(ctx, "b")
		wantErr(t, err, file.ErrNotFound)
		for id, want := range map[file.ID]bool{"one": true, "two": false} {
			if ended, err := d.LinksEnded(ctx, id); err != nil || ended != want {
				t.Errorf("%s: %v, %v", id, ended, err)
			}
		}
		testLinksOfAMaker(t, d)
		testLinkCounts(t, d)
		testPiecesOfLinks(t, d)
		r, err := d.File(ctx, "two")
		noErr(t, err)
		noErr(t, d.DeleteFile(ctx, r))
		_, err = d.Link(ctx, "c")
		wantErr(t, err, file.ErrNotFound)
	})
}

func testLinksOfAMaker(t *testing.T, d *DB) {
	t.Helper()
	ctx := t.Context()
	for id, m := range map[string]file.Identity{
		"user":    {Kind: file.KindUser, UserID: 7, AccountID: 4, Fingerprint: "u"},
		"guest":   {Kind: file.KindGuest, UserID: 7, AccountID: 4, Fingerprint: "g"},
		"other":   {Kind: file.KindUser, UserID: 8, AccountID: 4, Fingerprint: "o"},
		"account": {Kind: file.KindUser, UserID: 7, AccountID: 5, Fingerprint: "u"},
		"form":    {Kind: file.KindPublic, AccountID: 4, Fingerprint: "f1"},
		"form2":   {Kind: file.KindPublic, AccountID: 4, Fingerprint: "f2"},
		"service": {Kind: file.KindService, AccountID: 4, Fingerprint: "s"},
	} {
		noErr(t, d.CreateLink(ctx, file.Link{ID: id, File: "two", Maker: m, ExpiresAt: time.Now().Add(time.Hour)}))
	}
	for _, c := range []struct {
		maker file.LinkMaker
		ended string
	}{
		{file.LinkMaker{AccountID: 4, UserID: 7}, "guest user"},
		{file.LinkMaker{AccountID: 4, UserID: 7}, ""},
		{file.LinkMaker{AccountID: 4, UserID: 5_000_000_001}, ""},
		{file.LinkMaker{AccountID: 4, Kind: file.KindPublic, Fingerprint: "f2"}, "form2"},
		{file.LinkMaker{AccountID: 4, Kind: file.KindPublic}, "form"},
		{file.LinkMaker{AccountID: 4, Kind: file.KindService}, "service"},
	} {
		ids, err := d.EndLinksOf(ctx, c.maker)
		noErr(t, err)
		slices.Sort(ids)
		if got := strings.Join(ids, " "); got != c.ended {
			t.Errorf("%+v: %q, want %q", c.maker, got, c.ended)
		}
	}
	left, err := d.Links(ctx, "two", file.Link{}, 10)
	noErr(t, err)
	var ids []string
	for _, l := range left {
		ids = append(ids, l.ID)
	}
	slices.Sort(ids)
	if got := strings.Join(ids, " "); got != "account c other" {
		t.Errorf("left are %q", got)
	}
}

// Pieces of any length add up to the whole list, in the same order, also of links that were made at the same time.
func testPiecesOfLinks(t *testing.T, d *DB) {
	t.Helper()
	ctx := t.Context()
	foreign(t, d, "listed", 4)
	for i := range 7 {
		noErr(t, d.CreateLink(ctx, file.Link{ID: fmt.Sprint("l", i*3%7), File: "listed",
			ExpiresAt: time.Now().Add(time.Hour)}))
	}
	_, err := d.exec(ctx, "set times", `update links set created = created / 2 * 2 where file_id = 'listed'`)
	noErr(t, err)
	whole, err := d.Links(ctx, "listed", file.Link{}, 10)
	noErr(t, err)
	if len(whole) != 7 || !slices.IsSortedFunc(whole, func(a, b file.Link) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	}) {
		t.Errorf("%+v", whole)
	}
	for piece := range 8 {
		var all []file.Link
		for some := []file.Link{{}}; len(some) > 0; all = append(all, some...) {
			some, err = d.Links(ctx, "listed", some[len(some)-1], piece+1)
			noErr(t, err)
			if len(some) > piece+1 {
				t.Errorf("%d, want %d at most", len(some), piece+1)
			}
		}
		if !reflect.DeepEqual(all, whole) {
			t.Errorf("in pieces of %d: %+v", piece+1, all)
		}
	}
}

// Links in force are counted by their makers: a user's whatever its tokens, others' by token.
func testLinkCounts(t *testing.T, d *DB) {
	t.Helper()
	ctx := t.Context()
	foreign(t, d, "counted", 4)
	want := map[string]int{}
	for i, c := range []struct {
		maker   file.Identity
		counted string
	}{
		{file.Identity{Kind: file.KindUser, UserID: 5_000_000_007, AccountID: 4, Fingerprint: "t1"}, "user 5000000007 4 "},
		{file.Identity{Kind: file.KindUser, UserID: 5_000_000_007, AccountID: 4, Fingerprint: "t2"}, "user 5000000007 4 "},
		{file.Identity{Kind: file.KindGuest, UserID: 5_000_000_007, AccountID: 4, Fingerprint: "t3"}, "guest 5000000007 4 "},
		{file.Identity{Kind: file.KindUser, UserID: 5_000_000_007, AccountID: 5, Fingerprint: "t1"}, "user 5000000007 5 "},
		{file.Identity{Kind: file.KindService, AccountID: 4, Fingerprint: "s1"}, "service 0 4 s1"},
		{file.Identity{Kind: file.KindService, AccountID: 4, Fingerprint: "s1"}, "service 0 4 s1"},
		{file.Identity{Kind: file.KindService, AccountID: 4, Fingerprint: "s2"}, "service 0 4 s2"},
		{file.Identity{Kind: file.KindPublic, AccountID: 4, Fingerprint: "f"}, "public 0 4 f"},
	} {
		l := file.Link{ID: fmt.Sprint("counted", i), File: "counted", Maker: c.maker, ExpiresAt: time.Now().Add(time.Hour)}
		noErr(t, d.CreateLink(ctx, l))
		l.ID, l.ExpiresAt = "expired"+l.ID, time.Now().Add(-time.Minute)
		noErr(t, d.CreateLink(ctx, l))
		want[c.counted]++
	}
	counts, err := d.LinkCounts(ctx, "counted")
	noErr(t, err)
	got := map[string]int{}
	for _, c := range counts {
		got[fmt.Sprint(c.Maker.Kind, " ", c.Maker.UserID, " ", c.Maker.AccountID, " ", c.Maker.Fingerprint)] = c.Links
	}
	if !maps.Equal(got, want) || len(counts) != len(want) {
		t.Errorf("%+v, want %+v", counts, want)
	}
	if none, err := d.LinkCounts(ctx, "one"); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
