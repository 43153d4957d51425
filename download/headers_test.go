package download

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/file"
)

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":             `attachment; filename="a.txt"; filename*=utf-8''a.txt`,
		"öff.txt":           `attachment; filename="off.txt"; filename*=utf-8''%C3%B6ff.txt`,
		"Zażółć.pdf":        `attachment; filename="Zazo_c.pdf"; filename*=utf-8''Za%C5%BC%C3%B3%C5%82%C4%87.pdf`,
		"报告.pdf":            `attachment; filename="__.pdf"; filename*=utf-8''%E6%8A%A5%E5%91%8A.pdf`,
		"a b;c,d.txt":       `attachment; filename="a b;c,d.txt"; filename*=utf-8''a%20b%3Bc%2Cd.txt`,
		`a"\` + "\r\n%22.x": `attachment; filename="a_____22.x"; filename*=utf-8''a%22%5C%0D%0A%2522.x`,
	} {
		if got := disposition(false, name); got != want {
			t.Errorf("%q:\n got %s\nwant %s", name, got, want)
		}
	}
}

// Whatever the record says, the header is one line of ASCII with two names.
func FuzzDisposition(f *testing.F) {
	f.Add("öff.txt")
	f.Add("a\"; filename=b\r\nSet-Cookie: c")
	f.Fuzz(func(t *testing.T, name string) {
		got := disposition(true, name)
		quotes := 0
		for _, c := range got {
			if c < ' ' || c > '~' || c == '\\' {
				t.Errorf("%q: %q holds %q", name, got, c)
			}
			if c == '"' {
				quotes++
			}
		}
		if quotes != 2 || !utf8.ValidString(got) {
			t.Errorf("%q: %q", name, got)
		}
	})
}

// A file keeps its ETag when its SHA-256 becomes known.
func TestEntityTag(t *testing.T) {
	sum := []byte{1, 2}
	for want, rec := range map[string]file.Record{
		"":         {},
		`"stores"`: {ETag: `"stores"`},
		`"0102"`:   {ETag: `"stores"`, SHA256: sum},
		`"first"`:  {ETag: `"now"`, SHA256: sum, EntityTag: `"first"`},
	} {
		if got := entityTag(rec); got != want {
			t.Errorf("%+v: %s, want %s", rec, got, want)
		}
	}
}

func TestWantReprDigest(t *testing.T) {
	rec := file.Record{SHA256: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
		24, 25, 26, 27, 28, 29, 30, 31}}
	const digest = "sha-256=:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:"
	for want, answer := range map[string]string{
		"":                       digest,
		"sha-256=10":             digest,
		"sha-256=1, sha-512=10":  digest,
		"sha-512=3":              digest, // the only one there is
		"sha-256=0":              "",
		"sha-512=3, sha-256=0":   "",
		"sha-256=(0)":            digest, // not a number: no preference
		"sha-256=0, not a list(": digest, // malformed: no preference
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		if want != "" {
			r.Header.Set("Want-Repr-Digest", want)
		}
		if setDigest(w, r, rec); w.Header().Get("Repr-Digest") != answer {
			t.Errorf("Want-Repr-Digest %q: %q", want, w.Header().Get("Repr-Digest"))
		}
	}
	w := httptest.NewRecorder()
	if setDigest(w, httptest.NewRequest("GET", "/", nil), file.Record{}); len(w.Header()) != 0 {
		t.Errorf("without a hash: %v", w.Header())
	}
}

// What a browser may do with a file of each type: nothing runs, and only what can do no harm is shown.
func TestWhatMayBeShown(t *testing.T) {
	h := &Handler{Options: Options{FrameOptions: "DENY", CacheControl: "private"}}
	const sandbox, media = "sandbox; default-src 'none'; style-src 'unsafe-inline'",
		"sandbox allow-same-origin; default-src 'none'; "
	for mediaType, inline := range map[string]string{"image/png": media, "video/mp4": media, "audio/ogg": media,
		"image/svg+xml": sandbox, "text/plain": sandbox,
		"application/pdf": "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'none'",
		"text/html":       "", "application/xhtml+xml": "", "application/json": "", "text/xml": "", "text/javascript": "",
		"application/octet-stream": "", "": ""} {
		for query, policy := range map[string]string{"": sandbox, "?disposition=attachment": sandbox,
			"?disposition=inline": inline} {
			shown := query == "?disposition=inline" && inline != ""
			if !shown {
				policy = sandbox
			}
			w := httptest.NewRecorder()
			h.describe(w, httptest.NewRequest("GET", "/1"+query, nil), file.Record{Name: "a", Type: mediaType})
			header := w.Header()
			if !strings.HasPrefix(header.Get("Content-Security-Policy"), policy) ||
				header.Get("X-Content-Type-Options") != "nosniff" ||
				strings.HasPrefix(header.Get("Content-Disposition"), "attachment; ") == shown ||
				strings.Contains(header.Get("Content-Security-Policy"), "allow-scripts") {
				t.Errorf("%s%s: %v", mediaType, query, header)
			}
		}
	}
}
