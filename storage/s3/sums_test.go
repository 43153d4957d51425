package s3

import (
	"bytes"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// A part whose bytes changed on the way does not become part of an object. If a part's CRC32 is not known, because a
// replica of the previous version sent it, the store's own is used.
func TestTheStoreComparesPartsInTheEnd(t *testing.T) {
	c := direct(t)
	at := storage.Layout{BucketPrefix: "sums"}.Object(1, file.NewID())
	m, err := c.BeginMultipart(t.Context(), at, "x/y", false)
	if err != nil || !m.Sums {
		t.Fatal(m, err)
	}
	body := random(t, storage.MinPart+100)
	var parts []file.Part
	for i, b := range [][]byte{body[:storage.MinPart], body[storage.MinPart:]} {
		part, err := c.PutPart(t.Context(), at, m, int32(i+1), bytes.NewReader(b), int64(len(b)))
		if err != nil || part.CRC32 == "" {
			t.Fatalf("%+v %v", part, err)
		}
		parts = append(parts, part)
	}
	wrong := strings.Map(func(r rune) rune {
		if r == rune(parts[0].CRC32[0]) {
			return 'A' + (r-'A'+1)%26
		}
		return r
	}, parts[0].CRC32)
	other := []file.Part{parts[0], parts[1]}
	other[0].CRC32 = wrong
	if err := c.Complete(t.Context(), at, m, other); err == nil {
		t.Error("a part with another CRC32 was taken")
	}
	parts[1].CRC32 = ""
	if err := c.Complete(t.Context(), at, m, parts); err != nil {
		t.Error(err)
	}
	if got := read(t, c, at, 0, int64(len(body))); !bytes.Equal(got, body) {
		t.Error("other bytes came back")
	}
}

// A store that refuses checksums is asked again without them, and may not keep the ones that it has accepted.
func TestAStoreWithoutChecksums(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	body := random(t, 100)
	for name, sums := range map[string]bool{"refuses them": false, "takes no note": true} {
		at := file.Location{Bucket: "sums-2", Key: name}
		if p.harm("", "", 0, nil); !sums {
			p.harm("POST", "?uploads", 1, answers(501, "NotImplemented"))
		}
		m, err := c.BeginMultipart(t.Context(), at, "x/y", sums) // for copies, without sums
		if err != nil || m.Sums {
			t.Fatal(name, m, err)
		}
		part, err := c.PutPart(t.Context(), at, m, 1, bytes.NewReader(body), 100)
		if err != nil || part.CRC32 != "" {
			t.Fatal(name, part, err)
		}
		m.Sums = sums // what the service assumes
		if err := c.Complete(t.Context(), at, m, []file.Part{part}); err != nil {
			t.Fatal(name, err)
		}
		if got := read(t, c, at, 0, 100); !bytes.Equal(got, body) {
			t.Errorf("%s: other bytes came back", name)
		}
	}
}
