package upload_test

import (
	"net/http"
	"testing"

	"holdfast/internal/test/uploadtest"
)

// An upload of the version before, whose rows have checksums appended to ids and tags, can be continued; so can one to
// which a replica of that version has added a part without a checksum.
func TestUploadOfTheVersionBeforeGoesOn(t *testing.T) {
	for name, steps := range map[string][]string{
		"its rows": {
			`update upload_parts set etag = etag || ' ' || crc32, crc32 = ''`,
			`update uploads set multipart_id = multipart_id || ' crc32', multipart_sums = false where multipart_sums`,
		},
		"its part among ours": {`update upload_parts set crc32 = '' where number = 1`},
	} {
		t.Run(name, func(t *testing.T) {
			worlds(t, func(w *world) {
				w.Start()
				body := uploadtest.Content(3*uploadtest.PartSize + 10)
				half := 2*uploadtest.PartSize + 7
				url := w.Create(len(body))
				if status, _, err := w.Patch(w.T.Context(), url, 0, body[:half]); err != nil || status != http.StatusNoContent {
					w.T.Fatal(status, err)
				}
				for _, step := range steps {
					if res, err := w.Raw.Exec(step); err != nil {
						w.T.Fatal(err)
					} else if n, _ := res.RowsAffected(); n == 0 {
						w.T.Fatalf("no row was changed: %s", step)
					}
				}
				w.Start() // with nothing in memory
				if status, _, err := w.Patch(w.T.Context(), url, int64(half), body[half:]); err != nil ||
					status != http.StatusNoContent {
					w.T.Fatal(status, err)
				}
				w.Check(url, body)
			})
		})
	}
}
