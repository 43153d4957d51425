package storage

import (
	"bytes"
	"errors"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

func TestCopyPart(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	for name, c := range map[string]*Client{"embedded": shared.Client, "versitygw": p.client(t, s)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			layout := Layout{BucketPrefix: "copy-" + string(file.NewID())[:8]}
			content := random(t, MinCopy+1000)
			to := layout.Object(1, file.NewID())
			id, err := c.BeginMultipart(ctx, to, "x/y", true)
			if err != nil {
				t.Fatal(err)
			}
			// Keys with all that means something in a URL, or in a header, and another bucket.
			var parts []file.Part
			var want []byte
			for i, key := range []string{string(file.NewID()), "tails/a b+c%20d/ü?x=1&y#z:@!$'()*,;=~", "last"} {
				from := layout.Object(int64(1+i%2), file.ID(key))
				etag, err := c.Put(ctx, from, "x/y", bytes.NewReader(content), int64(len(content)))
				if err != nil {
					t.Fatal(err)
				}
				offset, length := int64(i), int64(MinCopy)
				if i == 2 {
					length = 1 // the last may be short
				}
				n := int32(i*3 + 1)
				got, err := c.CopyPart(ctx, from, etag, offset, length, to, id, n)
				if err != nil {
					t.Fatalf("%q: %v", key, err)
				}
				parts, want = append(parts, file.Part{Number: n, ETag: got}), append(want, content[offset:offset+length]...)
				if _, err := c.CopyPart(ctx, from, `"00000000000000000000000000000000"`, 0, MinCopy, to, id, 9); !errors.Is(err, file.ErrObjectMissing) {
					t.Errorf("%q under another tag: %v", key, err)
				}
			}
			if _, err := c.CopyPart(ctx, layout.Object(1, "missing"), "", 0, MinCopy, to, id, 9); !errors.Is(err, file.ErrObjectMissing) {
				t.Errorf("a source that is not there: %v", err)
			}
			if _, err := c.CopyPart(ctx, layout.Object(1, "last"), "", 0, MinCopy, to, string(file.NewID()), 9); !errors.Is(err, ErrNoUpload) {
				t.Errorf("an upload that is not there: %v", err)
			}
			if _, err := c.CopyPart(ctx, layout.Object(1, "last"), "", MinCopy, 1001, to, id, 9); !errors.Is(err, file.ErrStorageWrite) {
				t.Errorf("more than there is: %v", err)
			}
			if err := c.Complete(ctx, to, id, parts); err != nil {
				t.Fatal(err)
			}
			if got := read(t, c, to, 0, int64(len(want))); !bytes.Equal(got, want) {
				t.Error("other bytes were copied")
			}
		})
	}
	at := file.Location{Bucket: "copy-1", Key: "k"}
	c := p.client(t, s)
	for _, answer := range []struct {
		status int
		code   string
	}{{501, "NotImplemented"}, {501, ""}, {405, "MethodNotAllowed"}, {400, "NotImplemented"}} {
		p.harm("PUT", "", 100, answers(answer.status, answer.code))
		if _, err := c.CopyPart(t.Context(), at, "", 0, MinCopy, at, "u", 1); !errors.Is(err, ErrNoCopy) || !errors.Is(err, file.ErrUnavailable) || len(p.requests()) != 1 {
			t.Errorf("%d %s: %v after %d tries", answer.status, answer.code, err, len(p.requests()))
		}
	}
}
