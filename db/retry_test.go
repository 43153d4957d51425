package db

import (
	"path/filepath"
	"strconv"
	"testing"

	"holdfast/file"
)

// If SQLite's disk is full, relief is called and the write is retried. If relief makes no room, the caller gets the
// error.
func TestFullDisk(t *testing.T) {
	ctx := t.Context()
	d, err := OpenSQLite(ctx, filepath.Join(t.TempDir(), "db"))
	noErr(t, err)
	defer d.Close()
	var pages, asked int
	noErr(t, row(ctx, d.write, "count pages", "pragma page_count", nil, &pages))
	limit := func(n int) {
		var is int
		noErr(t, row(ctx, d.write, "limit pages", "pragma max_page_count = "+strconv.Itoa(n), nil, &is))
	}
	fill := func(name string) error {
		_, err := d.exec(ctx, "fill", `insert into chores (name, holder, until, place) values ($1, '', 0, $2)`, name,
			string(make([]byte, 64<<10)))
		return err
	}
	limit(pages)
	wantErr(t, fill("none"), file.ErrNoSpace)
	d.OnFull(func() bool { asked++; return false })
	wantErr(t, fill("none"), file.ErrNoSpace)
	d.OnFull(func() bool { asked++; limit(2 * pages); return true })
	noErr(t, fill("some"))
	limit(pages)
	d.OnFull(func() bool { asked++; limit(4 * pages); return true })
	var wrote int
	noErr(t, d.tx(ctx, "fill", func(tx *transaction) error {
		wrote++
		_, err := exec(ctx, tx, "fill", `insert into chores (name, holder, until, place) values ('tx', '', 0, $1)`,
			string(make([]byte, 64<<10)))
		return err
	}))
	if asked != 3 || wrote != 2 {
		t.Errorf("asked %d times, wrote %d times", asked, wrote)
	}
	place, err := d.ChorePlace(ctx, "tx")
	noErr(t, err)
	if len(place) != 64<<10 {
		t.Errorf("%d bytes were written", len(place))
	}
}
