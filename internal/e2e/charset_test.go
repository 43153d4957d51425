package e2e

import (
	"bytes"
	"strings"
	"testing"
)

// A text is served with the charset that was declared for it; one that is shown, and has none, as UTF-8 if it is.
func TestCharsetOfTexts(t *testing.T) {
	t.Parallel()
	s := start(t)
	german := "Grüße\n"
	long := []byte(strings.Repeat(german, 300_000))
	for _, c := range []struct {
		declared       string
		content        []byte
		shown, fetched string
	}{
		{"text/plain; charset=utf-8", []byte(german), "text/plain; charset=utf-8", "text/plain; charset=utf-8"},
		{"text/plain;charset=ISO-8859-1", []byte("Gr\xfc\xdfe"), "text/plain; charset=windows-1252",
			"text/plain; charset=windows-1252"},
		{"text/plain; charset=utf-7", []byte("+ADw-"), "text/plain; charset=utf-8", "text/plain"},
		{"text/plain", []byte(german), "text/plain; charset=utf-8", "text/plain"},
		{"text/plain", long, "text/plain; charset=utf-8", "text/plain"},
		{"text/plain", []byte("Gr\xfc\xdfe"), "text/plain", "text/plain"},
		{"image/png; charset=utf-8", []byte("png"), "image/png", "image/png"},
	} {
		got, a := s.sendForm(t, "a", c.declared, c.content)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", c.declared, a.status, a.body)
		}
		for query, want := range map[string]string{"?disposition=inline": c.shown, "": c.fetched} {
			a := s.do(t, "GET", s.base+"/"+got.ID+query, nil)
			if a.status != 200 || a.header.Get("Content-Type") != want || !bytes.Equal(a.body, c.content) {
				t.Errorf("%s%s: %d %q, %d bytes; want %q", c.declared, query, a.status, a.header.Get("Content-Type"), len(a.body),
					want)
			}
		}
		if part := s.do(t, "GET", s.base+"/"+got.ID+"?disposition=inline", nil, "Range: bytes=1-2"); part.status != 206 ||
			!bytes.Equal(part.body, c.content[1:3]) {
			t.Errorf("%s: %d %q", c.declared, part.status, part.body)
		}
	}
	if list := s.do(t, "GET", s.base+"/", nil); bytes.Contains(list.body, []byte("charset")) {
		t.Errorf("the list tells more than types: %s", list.body)
	}
}
