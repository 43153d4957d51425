package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Clients of the IETF's protocol from interop version 7 on, and of its form without a version, send a file in two
// requests, lose the final answer, and ask for it again.
func TestResumableUploads(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, version := range []string{"7", "8", "9", "10", ""} {
		t.Run("version "+version, func(t *testing.T) {
			d := draft{s, version}
			content := random(9*mebi + 5)
			begun := d.post(t, false, content[:6*mebi], "Content-Type: text/plain",
				`Content-Disposition: inline; filename=fallback.txt; filename*=UTF-8''%C3%B6ff.txt`)
			at := begun.header.Get("Location")
			if begun.status != http.StatusCreated || at == "" || d.says(begun) != "?0" {
				t.Fatalf("the first bytes: %v", begun)
			}
			if a := d.head(t, at); a.status != 204 || a.header.Get("Upload-Offset") != strconv.Itoa(6*mebi) {
				t.Errorf("HEAD: %v", a)
			}
			if a := d.patch(t, at, 5, true, content[5:]); a.status != http.StatusConflict ||
				a.header.Get("Upload-Offset") != strconv.Itoa(6*mebi) {
				t.Errorf("another offset: %v", a)
			}
			url := strings.Replace(at, "/tus/", "/", 1)
			d.completes(t, d.patch(t, at, 6*mebi, true, content[6*mebi:]), url)
			d.completes(t, d.patch(t, at, len(content), true, nil), url)
			s.holds(t, url, content)
			if name := s.do(t, "HEAD", url, nil).header.Get("Content-Disposition"); !strings.Contains(name, "%C3%B6ff.txt") {
				t.Errorf("the name: %s", name)
			}
			d.cancels(t)
			stranger := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
			if a := d.patch(t, at, 0, true, nil, stranger); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
				t.Errorf("another caller: %v", a)
			}
		})
	}
}

// cancels creates an upload that another caller can't cancel, and its own can.
func (d draft) cancels(t *testing.T) {
	t.Helper()
	at := d.post(t, false, "x").header.Get("Location")
	end := []string{"Tus-Resumable: -", "Upload-Draft-Interop-Version: " + d.version}
	stranger := "Authorization: Bearer " + d.run("token", "create", "--user", "3", "--account", "1")
	if a := d.do(t, "DELETE", at, nil, append(end, stranger)...); a.status != http.StatusForbidden {
		t.Errorf("DELETE by another caller: %v", a)
	}
	if a := d.do(t, "DELETE", at, nil, end...); a.status != http.StatusNoContent {
		t.Errorf("DELETE: %v", a)
	}
	if a := d.head(t, at); a.status != http.StatusNotFound {
		t.Errorf("HEAD of what was ended: %v", a)
	}
}

// completes checks the answer to a request that made the upload a file.
func (d draft) completes(t *testing.T, a answer, url string) {
	t.Helper()
	if a.status != http.StatusCreated || d.says(a) != "?1" || a.header.Get("Content-Location") != url ||
		!strings.Contains(string(a.body), url) {
		t.Errorf("the final answer: %v", a)
	}
}
