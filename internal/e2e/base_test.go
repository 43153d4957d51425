package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Without PUBLIC_URL, clients get URLs with the host name that they used; with it, URLs under it.
func TestURLsFollowTheRequest(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"": "http://files.lan:8123/files/",
		"https://files.example.org/files": "https://files.example.org/files/"} {
		var env []string
		if public != "" {
			env = append(env, "PUBLIC_URL="+public)
		}
		s := newServer(t, env...)
		s.launch()
		ask := func(method, path, body string, headers ...string) (http.Header, string) {
			t.Helper()
			r, err := http.NewRequest(method, strings.TrimSuffix(s.base, "/files")+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "files.lan:8123"
			for _, h := range append(headers, "Authorization: Bearer "+s.token) {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Set(name, value)
			}
			res, err := s.lines.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode >= 300 {
				t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, b, err)
			}
			return res.Header, string(b)
		}
		url := regexp.MustCompile(`"(?:public_)?url":"([^"]*)"`)
		form, contentType := formOf(t, "a.txt", "", []byte("hello"))
		_, made := ask("POST", "/upload", string(form), contentType)
		id := regexp.MustCompile(`"file_id":"([^"]*)"`).FindStringSubmatch(made)[1]
		created, _ := ask("POST", "/tus/", "", "Tus-Resumable: 1.0.0", "Upload-Length: 1")
		_, list := ask("GET", "/", "")
		_, link := ask("POST", "/"+id+"/links", "{}")
		at := []string{created.Get("Location")}
		for _, body := range []string{made, list, link} {
			at = append(at, url.FindStringSubmatch(body)[1])
		}
		for _, got := range at {
			if !strings.HasPrefix(got, want) {
				t.Errorf("PUBLIC_URL=%q: %s, want %s...", public, got, want)
			}
		}
	}
}

// A form whose digest does not match its file leaves nothing behind.
func TestFormWithAWrongDigest(t *testing.T) {
	t.Parallel()
	s := start(t)
	const header = "Content-Type: multipart/form-data; boundary=b|Tus-Resumable: -"
	wrong := "sha-256=:" + strings.Repeat("A", 43) + "=:"
	part := func(digest string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n" + digest +
			"\r\nhello\r\n--b--\r\n"
	}
	right := "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n"
	s.check(t, []line{
		{"POST", "/files/upload", header, part("Repr-Digest: " + wrong + "\r\n"), 422, "UPLOAD_007", ""},
		{"POST", "/files/upload", header, part("Content-Digest: " + wrong + "\r\n"), 422, "UPLOAD_007", ""},
		{"POST", "/files/upload", header + "|Content-Digest: " + wrong, part(""), 422, "UPLOAD_007", "its part"},
		{"POST", "/files/upload", header, part("Repr-Digest: nonsense;\r\n"), 400, "VAL_003", ""},
	})
	if left := s.names(t); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
	s.nothingStored(t)
	if log, _ := os.ReadFile(s.log); bytes.Contains(log, []byte("level=WARN")) {
		t.Errorf("%s", log)
	}
	s.check(t, []line{{"POST", "/files/upload", header, part(right), 200, "", ""}})
	if !bytes.Contains(s.do(t, "GET", "/files/", nil).body, []byte("a.txt")) {
		t.Error("the file with the right digest is not there")
	}
}
