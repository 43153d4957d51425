package s3

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// A part that is not the one that was sent does not become part of an object.
func TestTheStoreComparesPartsInTheEnd(t *testing.T) {
	c := direct(t)
	at := storage.Layout{BucketPrefix: "sums"}.Object(1, file.NewID())
	id, err := c.BeginMultipart(t.Context(), at, "x/y", false)
	if err != nil {
		t.Fatal(err)
	}
	body := random(t, 100)
	tag, err := c.PutPart(t.Context(), at, id, 1, bytes.NewReader(body), 100)
	if err != nil {
		t.Fatal(err)
	}
	own, sum, ok := strings.Cut(tag, " ")
	if !ok {
		t.Fatalf("the tag %s has no CRC32", tag)
	}
	wrong := strings.Map(func(r rune) rune {
		if r == rune(sum[0]) {
			return 'A' + (r-'A'+1)%26
		}
		return r
	}, sum)
	if err := c.Complete(t.Context(), at, id, []file.Part{{Number: 1, Size: 100, ETag: own + " " + wrong}}); err == nil {
		t.Error("a part with another CRC32 was taken")
	}
	if err := c.Complete(t.Context(), at, id, []file.Part{{Number: 1, Size: 100, ETag: tag}}); err != nil {
		t.Error(err)
	}
	if got := read(t, c, at, 0, 100); !bytes.Equal(got, body) {
		t.Error("other bytes came back")
	}
}

// Stores that know nothing of checksums are asked again without.
func TestAStoreWithoutChecksums(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	at := file.Location{Bucket: "sums-2", Key: "k"}
	p.harm("POST", "?uploads", 1, answers(501, "NotImplemented"))
	id, err := c.BeginMultipart(t.Context(), at, "x/y", false)
	if err != nil {
		t.Fatal(err)
	}
	body := random(t, 100)
	tag, err := c.PutPart(t.Context(), at, id, 1, bytes.NewReader(body), 100)
	if err != nil || strings.Contains(tag, " ") {
		t.Fatal(tag, err)
	}
	if err := c.Complete(t.Context(), at, id, []file.Part{{Number: 1, Size: 100, ETag: tag}}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, at, 0, 100); !bytes.Equal(got, body) {
		t.Error("other bytes came back")
	}
}
