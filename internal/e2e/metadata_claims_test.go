package e2e

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

const aForm = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n" +
	"hello\r\n--b--\r\n"

const byTus = "Tus-Resumable: 1.0.0"

// bare returns the headers of a request that speaks tus only if they say so.
func bare(header []string) []string {
	if slices.Contains(header, byTus) {
		return header
	}
	return append(header, "Tus-Resumable: -")
}

// A SHA-256 in Upload-Metadata is compared where metadata are read, and refused where they are not. Other metadata are
// no claim.
func TestClaimsInMetadata(t *testing.T) {
	t.Parallel()
	s := start(t)
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	other := "Upload-Metadata: filename YS50eHQ=, sha256 " + encoded(strings.Repeat("ab", 32))
	harmless := "Upload-Metadata: filename " + encoded("sha256 ") + ",checksum eA==,sha256 "
	at := s.create(t, 5)
	type way struct {
		method, path, body string
		header             []string
		refused            int
	}
	ways := []way{
		{"PUT", "/files/a.txt", "hello", nil, 400},
		{"POST", "/files/upload", "hello", nil, 400},
		{"PUT", "/files/a.txt", "hello", []string{"Upload-Complete: ?1"}, 400},
		{"POST", "/files/upload", "hello", []string{"Upload-Complete: ?1"}, 400},
		{"POST", "/files/upload", aForm, []string{"Content-Type: multipart/form-data; boundary=b"}, 400},
		{"POST", "/files/tus/", "hello", []string{"Upload-Complete: ?1"}, 400},
		{"PATCH", at, "hello", []string{octets, "Upload-Offset: 0", byTus}, 400},
		{"POST", "/files/tus/", "hello", []string{octets, "Upload-Length: 5", byTus}, 422},
	}
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		w := way{"POST", "/files/tus/", "hello", draft{s, version}.headers(true)[1:], 400}
		if version < "7" && version != "10" {
			w.refused = 422
		}
		ways = append(ways, w)
	}
	send := func(w way, metadata string) answer {
		return s.do(t, w.method, w.path, w.body, bare(append([]string{metadata}, w.header...))...)
	}
	for _, w := range ways {
		a := send(w, other)
		said := w.refused == 422 && a.code() == "UPLOAD_007" ||
			w.refused == 400 && strings.Contains(string(a.body), "sha256 in Upload-Metadata is not checked here")
		if a.status != w.refused || !said {
			t.Errorf("%s %s, %q: %v %s", w.method, w.path, w.header, a, a.body)
		}
	}
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files of another content: %v", names)
	}
	for _, w := range ways {
		if w.path != "/files/tus/" { // elsewhere openapi.yaml has no metadata: see digest.TestMetadata
			continue
		}
		if a := send(w, harmless); a.status/100 != 2 {
			t.Errorf("%s %s, %q, without a claim: %v %s", w.method, w.path, w.header, a, a.body)
		}
	}
	a := s.rawAnswer(t, "POST /files/tus/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: "+
		"Upload-Metadata\r\nAuthorization: Bearer "+s.token+"\r\nConnection: close\r\nUpload-Complete: ?1\r\n\r\n"+
		"5\r\nhello\r\n0\r\n"+other+"\r\n\r\n")
	if !strings.HasPrefix(a, "HTTP/1.1 400 ") {
		t.Errorf("as a trailer: %s", a)
	}
}

// An Idempotency-Key is refused wherever none is read: a repeated request would make a second file.
func TestKeysOfOtherUploads(t *testing.T) {
	t.Parallel()
	s := start(t)
	refused := func(method, path string, header ...string) {
		t.Helper()
		a := s.do(t, method, path, "hello", append(header, "Idempotency-Key: one")...)
		if a.status != 400 || !strings.Contains(string(a.body), "Idempotency-Key is supported for forms only") {
			t.Errorf("%s %s, %q: %v %s", method, path, header, a, a.body)
		}
	}
	for _, to := range [][2]string{{"PUT", "/files/a.txt"}, {"POST", "/files/upload"}, {"POST", "/files/tus/"}} {
		refused(to[0], to[1], "Tus-Resumable: -", "Upload-Complete: ?1")
		refused(to[0], to[1], "Tus-Resumable: -", "Upload-Complete: ?0")
		for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
			refused(to[0], to[1], draft{s, version}.headers(true)...)
		}
	}
	refused("POST", "/files/tus/", octets, "Upload-Length: 5")
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files of refused requests: %v", names)
	}
}

// A form whose request says that more follows, or does not say clearly that nothing does, is refused as another body
// is. One that says so clearly, as URLSession does of every body, is taken.
func TestFormsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	send := func(header []string) answer {
		header = append([]string{"Content-Type: multipart/form-data; boundary=b"}, header...)
		return s.do(t, "POST", "/files/upload", aForm, bare(header)...)
	}
	const speaks = "Upload-Draft-Interop-Version: "
	refused := [][]string{{"Content-Range: bytes 0-2/10"}, {"Upload-Offset: 5"}, {"Upload-Length: 5"},
		{"Upload-Defer-Length: 1"}, {"Upload-Concat: partial"}, {"Upload-Complete: ?0"}, {"Upload-Complete: maybe"},
		{"Upload-Incomplete: ?0"}, {"Upload-Incomplete: ?1"}, {speaks + "3", "Upload-Incomplete: ?1"},
		{speaks + "3", "Upload-Incomplete: no"}, {speaks + "3", "Upload-Incomplete: ?0", "Upload-Complete: ?0"},
		{speaks + "3", "Upload-Incomplete: ?0", byTus}, {speaks + "99", "Upload-Complete: ?0"},
		{speaks + "8", "Upload-Complete: ?1", "Upload-Length: 5"}, {speaks + "99", "Upload-Complete: maybe"}}
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		refused = append(refused, []string{speaks + version}, draft{s, version}.headers(false)[1:])
	}
	for _, header := range refused {
		if a := send(header); a.status != 400 || a.code() != "VAL_003" {
			t.Errorf("%q: %v %s", header, a, a.body)
		}
	}
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files of unclear forms: %v", names)
	}
	taken := [][]string{nil, {"Upload-Complete: ?1"}, {speaks + "99"}, {speaks + "99", "Upload-Complete: ?1"},
		{byTus}}
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		taken = append(taken, draft{s, version}.headers(true)[1:])
	}
	for _, header := range taken {
		if a := send(header); a.status != 200 {
			t.Errorf("a whole form with %q: %v %s", header, a, a.body)
		}
	}
}
