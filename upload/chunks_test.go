package upload_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

// puts counts PutObject calls.
type puts struct {
	upload.Objects
	n *atomic.Int32
}

func (p puts) Put(ctx context.Context, at file.Location, ct string, body io.ReadSeeker, size int64) (string, error) {
	p.n.Add(1)
	return p.Objects.Put(ctx, at, ct, body, size)
}

// If a client's chunks have a suitable size, each becomes a part: nothing is stored twice.
func TestChunksBecomeParts(t *testing.T) {
	worlds(t, func(w *world) {
		w.Planned = 8 << 20
		var n atomic.Int32
		w.Objects = puts{uploadtest.Store(), &n}
		w.Start()
		for _, c := range []struct{ chunk, part int }{{5 << 20, 5 << 20}, {6<<20 + 1, 6<<20 + 1}, {12 << 20, 6 << 20}} {
			n.Store(0)
			body := uploadtest.Content(2*c.chunk + 1000)
			url := w.Create(len(body))
			send := func(from, to int) {
				t.Helper()
				if status, _, err := w.Patch(t.Context(), url, int64(from), body[from:to]); err != nil ||
					status != http.StatusNoContent {
					t.Fatal(status, err)
				}
			}
			send(0, c.chunk)
			w.Start() // the next engine knows only the row
			send(c.chunk, 2*c.chunk)
			parts, err := w.Rows.Parts(t.Context(), uploadtest.ID(url))
			if err != nil || len(parts) != 2*c.chunk/c.part {
				t.Fatalf("chunks of %d: %+v %v", c.chunk, parts, err)
			}
			for _, p := range parts {
				if p.Size != int64(c.part) {
					t.Errorf("chunks of %d: a part of %d, want %d", c.chunk, p.Size, c.part)
				}
			}
			send(2*c.chunk, len(body))
			w.Check(url, body)
			if n.Load() != 0 {
				t.Errorf("chunks of %d: %d tails were stored", c.chunk, n.Load())
			}
		}
	})
}
