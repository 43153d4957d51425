package storagetest

import (
	"errors"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// listParts: the parts of an upload are listed in the order of their numbers, with what PutPart has said of them.
func (s suite) listParts(t *testing.T) {
	at := fresh("parts").Object(1, file.NewID())
	m := begin(t, s, at)
	if page, err := s.Parts(t.Context(), at, m, 0); err != nil || len(page) != 0 {
		t.Errorf("no parts yet: %+v %v", page, err)
	}
	var want []file.Part
	for _, n := range []int32{30, 2, 100} {
		want = append(want, s.part(t, at, m, n, []byte{byte(n), 1, 2}))
	}
	want[0], want[1] = want[1], want[0]
	var got []file.Part
	for after := int32(0); ; after = got[len(got)-1].Number {
		page, err := s.Parts(t.Context(), at, m, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if got = append(got, page...); len(got) > len(want) {
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("listed %+v, want %+v", got, want)
	}
	for i, p := range got {
		if p.CRC32 == "" { // the store may keep none
			p.CRC32 = want[i].CRC32
		}
		if p != want[i] {
			t.Errorf("listed %+v, want %+v", p, want[i])
		}
	}
	if page, err := s.Parts(t.Context(), at, m, 30); err != nil || len(page) != 1 || page[0].Number != 100 {
		t.Errorf("behind 30: %+v %v", page, err)
	}
	if err := s.Abort(t.Context(), at, m.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{m.ID, string(file.NewID())} {
		page, err := s.Parts(t.Context(), at, file.Multipart{ID: id}, 0)
		if !errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("parts of no upload: %+v %v", page, err)
		}
	}
}
