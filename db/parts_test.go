package db

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// Unfinished uploads of the previous version, which had no columns for checksums, are read correctly, and so are
// parts that a replica of that version adds beside ours.
func TestSumsOfTheVersionBefore(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := leased(t, d, newUpload())
		noErr(t, d.SetMultipart(ctx, u.Fence(), "key", file.Multipart{ID: "now", Sums: true}, 60))
		u = commit(t, d, u, file.Progress{Offset: 60, HashState: []byte{4}, Parts: []file.Part{
			{Number: 1, Offset: 0, Size: 50, ETag: `"e1"`, CRC32: "AAAAAA=="}, {Number: 3, Offset: 50, Size: 10, ETag: `"e3"`}}})
		for _, step := range []string{
			`update uploads set multipart_id = 'then crc32', multipart_sums = false where id = $1`,
			`insert into upload_parts (upload_id, number, "offset", size, etag) values ($1, 4, 60, 9, '"e4" EhQTzg==')`,
		} {
			_, err := d.exec(ctx, "as the version before", step, u.ID)
			noErr(t, err)
		}
		if u := reload(t, d, u.ID); u.Multipart != (file.Multipart{ID: "then", Sums: true}) {
			t.Errorf("%+v", u.Multipart)
		}
		got, err := d.Parts(ctx, u.ID)
		noErr(t, err)
		want := []file.Part{
			{Number: 1, Offset: 0, Size: 50, ETag: `"e1"`, CRC32: "AAAAAA=="},
			{Number: 3, Offset: 50, Size: 10, ETag: `"e3"`},
			{Number: 4, Offset: 60, Size: 9, ETag: `"e4"`, CRC32: "EhQTzg=="},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
