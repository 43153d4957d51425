package e2e

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// A client that does not know resumable uploads sends a file as the body, and downloads it under its name.
func TestPlainUploads(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=20971520", "READ_TIMEOUT=2s")
	for _, size := range []int{0, 1, 9*mebi + 5} {
		content := random(size)
		for name, a := range map[string]answer{
			"PUT": s.do(t, "PUT", "/files/%C3%B6ff.txt", content, "Content-Type: text/plain"),
			"PUT, chunked": s.do(t, "PUT", "/files/%C3%B6ff.txt", struct{ io.Reader }{strings.NewReader(string(content))},
				"Content-Type: text/plain"),
			"POST": s.do(t, "POST", "/files/upload", content, "Content-Type: text/plain",
				"Content-Disposition: inline; filename*=UTF-8''%C3%B6ff.txt"),
		} {
			url := a.header.Get("Location")
			if a.status != http.StatusCreated || url == "" || a.header.Get("Content-Location") != url ||
				!strings.Contains(string(a.body), url) {
				t.Fatalf("%s: %v", name, a)
			}
			s.holds(t, url, content)
			if h := s.do(t, "HEAD", url, nil).header; !strings.Contains(h.Get("Content-Disposition"), "%C3%B6ff.txt") ||
				!strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
				t.Errorf("%s: %v", name, h)
			}
		}
	}
	first, again := s.do(t, "PUT", "/files/a.txt", "1"), s.do(t, "PUT", "/files/a.txt", "2")
	s.holds(t, first.header.Get("Location"), []byte("1"))
	s.holds(t, again.header.Get("Location"), []byte("2"))

	slow, end := io.Pipe()
	defer end.Close()
	if a := s.do(t, "PUT", "/files/slow", slow); a.status != http.StatusRequestTimeout {
		t.Errorf("a client that sends nothing: %v", a)
	}
	s.checkPlain(t)
	if names := s.names(t); len(names) != 11 {
		t.Errorf("%v", names)
	}
}

// checkPlain checks which plain uploads are refused, and what is answered about others.
func (s *server) checkPlain(t *testing.T) {
	t.Helper()
	const a, wrong = "/files/a.txt", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
	s.check(t, []line{
		{"PUT", a, "Authorization: -", "x", 401, "AUTH_001", ""},
		{"PUT", a, "Origin: https://evil.example.org", "x", 403, "PERM_001", ""},
		{"PUT", a, "Content-Range: bytes 0-1/2", "x", 400, "VAL_003", "Content-Range"},
		{"PUT", a, `If-Match: "x"`, "x", 412, "VAL_007", ""},
		{"PUT", a, "Content-Digest: " + wrong, "x", 400, "VAL_003", "Content-Digest"},
		{"PUT", a, "Repr-Digest: " + wrong, "x", 422, "UPLOAD_007", ""},
		{"PUT", a, "Content-Type: multipart/form-data; boundary=b", "x", 415, "VAL_005", "/files/upload"},
		{"PUT", a, "Content-Encoding: gzip", "x", 415, "VAL_005", ""},
		{"PUT", a, "Upload-Length: 1", "x", 400, "VAL_003", "/files/tus/"},
		{"PUT", a, "", strings.Repeat("x", 20971521), 413, "FILE_003", "20971521"},
		{"POST", "/files/upload", `If-Match: "x"|Content-Type: text/plain`, "x", 412, "VAL_007", ""},
		{"PUT", "/files/upload", "", "x", 405, "VAL_006", "Allow: OPTIONS, POST"},
		{"PUT", "/files/usage", "", "x", 405, "VAL_006", "Allow: GET, HEAD"},
		{"PUT", "/files/a/b", "", "x", 404, "FILE_001", ""},
		{"PUT", "/files/", "", "x", 405, "VAL_006", "Allow: GET, HEAD"},
		{"OPTIONS", a, "Authorization: -", "", 204, "", "Upload-Limit: max-size=20971520"},
		{"OPTIONS", "/files/upload", "Authorization: -", "", 204, "",
			"Upload-Draft-Interop-Version: 3, 4, 5, 6, 7, 8, 9, 10"},
		{"OPTIONS", a, "", "", 204, "", "Allow: DELETE, GET, HEAD, OPTIONS, PUT"},
		{"OPTIONS", "/files/usage", "", "", 405, "VAL_006", "Allow: GET, HEAD"},
	})
}

// Clients of the IETF's protocol create uploads at the addresses of plain uploads, in each version.
func TestResumableUploadsElsewhere(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(6*mebi + 5)
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10", ""} {
		t.Run("version "+version, func(t *testing.T) {
			d := draft{s, version}
			for _, to := range [][2]string{{"PUT", "/files/film.mp4"}, {"POST", "/files/upload"}} {
				begun := d.do(t, to[0], to[1], content[:6*mebi], d.headers(false, "Content-Type: video/mp4",
					"Content-Disposition: inline; filename=film.mp4")...)
				at := begun.header.Get("Location")
				if begun.status != http.StatusCreated || !strings.Contains(at, "/files/tus/") || d.says(begun) != "?0" {
					t.Fatalf("%s: %v", to, begun)
				}
				if a := d.head(t, at); a.header.Get("Upload-Offset") != strconv.Itoa(6*mebi) {
					t.Errorf("HEAD: %v", a)
				}
				a := d.patch(t, at, 6*mebi, true, content[6*mebi:])
				url := a.header.Get("Content-Location")
				if a.status/100 != 2 || url == "" {
					t.Fatalf("the last bytes: %v", a)
				}
				s.holds(t, url, content)
				if h := s.do(t, "HEAD", url, nil).header; !strings.Contains(h.Get("Content-Disposition"), "film.mp4") {
					t.Errorf("the name: %v", h)
				}
			}
			a := d.do(t, "PUT", "/files/a.txt", "x", d.headers(true)...)
			if a.status != http.StatusCreated {
				t.Fatalf("all at once: %v", a)
			}
			s.holds(t, a.header.Get("Content-Location"), []byte("x"))
		})
	}
	whole := draft{s, "11"}.do(t, "PUT", "/files/a.txt", "x", draft{s, "11"}.headers(true)...)
	if whole.status != http.StatusCreated ||
		whole.header.Get("Upload-Draft-Interop-Version") != "3, 4, 5, 6, 7, 8, 9, 10" {
		t.Errorf("a whole file in an unknown version: %v", whole)
	}
	if a := (draft{s, "11"}).do(t, "PUT", "/files/a.txt", "x", draft{s, "11"}.headers(false)...); a.status != 412 {
		t.Errorf("a piece in an unknown version: %v", a)
	}
	d := draft{s, "8"}
	at := d.post(t, false, content[:5]).header.Get("Location")
	a := d.do(t, "POST", at, content[5:], d.headers(true, "X-HTTP-Method-Override: PATCH", "Upload-Offset: 5",
		"Content-Type: application/partial-upload")...)
	if a.status != http.StatusCreated || d.says(a) != "?1" {
		t.Errorf("POST in place of PATCH: %v", a)
	}
}
