package form

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/upload"
)

// answered is the answer to a form, and the file that it became.
type answered struct {
	status       int
	code, reason string
	name         string
	content      []byte
	claim        []byte
}

func post(t *testing.T, contentType, body string, headers ...string) (a answered) {
	t.Helper()
	h := New(Options{ReadTimeout: time.Minute, Whole: anyBody, Base: func(*http.Request) string { return "" },
		Fits: func(int64) error { return nil },
		Receive: func(_ context.Context, c upload.Creation, body io.Reader, _ func()) (*file.Upload, error) {
			b, err := io.ReadAll(body)
			a.name, a.content, a.claim = c.Name, b, c.Claim
			return &file.Upload{ID: "id"}, err
		}})
	r := httptest.NewRequest("POST", "/upload", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.Serve(w, r)
	var problem struct {
		Code    string
		Details struct{ Reason string }
	}
	json.Unmarshal(w.Body.Bytes(), &problem)
	a.status, a.code, a.reason = w.Code, problem.Code, problem.Details.Reason
	return a
}

// Names as clients write them, in quotes or not.
func TestFilenames(t *testing.T) {
	for disposition, want := range map[string]string{
		`form-data; name="file"; filename="a.txt"`:                                  "a.txt",
		`form-data; name=file; filename=a.txt; filename*=utf-8''b.txt`:              "b.txt",
		`form-data; name="file"; filename=my file.txt`:                              "my file.txt",
		`form-data; name="file"; filename=file(1).txt;`:                             "file(1).txt",
		`form-data; name="file"; filename="=?utf-8?B?w6TDtsO8LnR4dA==?="`:           "äöü.txt",
		`form-data; name="file"; filename="=?no-such-charset?B?w6TDtsO8LnR4dA==?="`: "=?no-such-charset?B?w6TDtsO8LnR4dA==?=",
		`form-data; name="file"; filename="a%22b.txt"`:                              `a"b.txt`,
		`form-data; name="file"; filename="C:\Users\ann\new\test.pdf"`:              "test.pdf",
		`form-data; name="file"; filename="\\server\share\a b.pdf"`:                 "a b.pdf",
		`form-data; name="file"; filename="c:\dir\"; x=y`:                           "",
		`form-data; name="file"; filename="a\b.pdf"`:                                `a\b.pdf`,
		`form-data; name="file"; filename="folder/a.pdf"`:                           "folder/a.pdf",
		`form-data; name="file"; filename="unclosed.txt`:                            "",
		`form-data; name="file"; filename=a"b".txt`:                                 "",
		`form-data; name="file"; filename=a b.txt; filename=c d.txt`:                "",
	} {
		a := post(t, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: "+disposition+"\r\n\r\nx\r\n--b--\r\n")
		switch {
		case want != "" && (a.status != 200 || a.name != want):
			t.Errorf("%s: %+v, want %q", disposition, a, want)
		case want == "" && (a.status != 400 || !strings.Contains(a.reason, "quotes")):
			t.Errorf("%s: %+v", disposition, a)
		}
	}
}

// A field is a file if it has a name, or no name but a type. Browsers send an empty name if no file was chosen.
func TestFieldsWithoutAName(t *testing.T) {
	for header, want := range map[string]int{
		"form-data; name=\"file\"\r\nContent-Type: image/png":                                   200,
		"form-data; name=\"file\"":                                                              422,
		"form-data; name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream":     422,
		"form-data; name=\"file\"; filename*=utf-8''\r\nContent-Type: application/octet-stream": 422,
		"form-data; name=\"other\"\r\nContent-Type: image/png":                                  422,
	} {
		body := "--b\r\nContent-Disposition: " + header + "\r\n\r\nx\r\n--b--\r\n"
		if a := post(t, "multipart/form-data; boundary=b", body); a.status != want || want == 422 && a.code != "VAL_002" {
			t.Errorf("%s: %+v, want %d", header, a, want)
		}
	}
}

// A file with a Content-Transfer-Encoding is stored as it was sent, still encoded.
func TestEncodedFields(t *testing.T) {
	for encoding, want := range map[string]int{"gzip": 415, "GZIP": 415, "identity, gzip": 415, "Identity": 200, "": 200} {
		body := "--b\r\nContent-Disposition: form-data; name=file; filename=a\r\ncontent-encoding: " + encoding +
			"\r\n\r\nx\r\n--b--\r\n"
		if a := post(t, "multipart/form-data; boundary=b", body); a.status != want {
			t.Errorf("%q: %+v, want %d", encoding, a, want)
		}
	}
}

// Boundaries without the quotes that they need.
func TestBoundaries(t *testing.T) {
	for contentType, want := range map[string]string{
		`multipart/form-data; boundary="a b"`:                             "a b",
		"multipart/form-data; boundary=----=_Part_3_16.17":                "----=_Part_3_16.17",
		"Multipart/Form-Data; Boundary====1656457491496===":               "===1656457491496===",
		"multipart/form-data; charset=utf-8; boundary=a:b; charset=utf-8": "",
		`multipart/form-data; boundary="a`:                                "",
		"multipart/form-data; boundary":                                   "",
		"multipart/form-data":                                             "",
	} {
		got, err := parseContentType(contentType)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", contentType, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "quotes") {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}

// Digests are compared: a part's with the file, the request's with the whole form.
func TestDigestsOfForms(t *testing.T) {
	of := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return digest.Format(sum[:])
	}
	form := func(header string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n" + header +
			"\r\nhello\r\n--b--\r\nepilogue"
	}
	plain := form("")
	for _, c := range []struct {
		header, body string
		status       int
		code         string
	}{
		{"Content-Digest: " + of(plain), plain, 200, ""},
		{"Repr-Digest: " + of(plain), plain, 200, ""},
		{"Content-Digest: " + of("hello"), plain, 422, "UPLOAD_007"},
		{"Repr-Digest: " + of(plain[:len(plain)-8]), plain, 422, "UPLOAD_007"},
		{"Content-Digest: sha-256=nonsense", plain, 400, "VAL_003"},
		{"X: y", form("Repr-Digest: " + of("hello") + "\r\n"), 200, ""},
		{"X: y", form("Content-Digest: " + of("hello") + "\r\nRepr-Digest: " + of("hello") + "\r\n"), 200, ""},
		{"X: y", form("Content-Digest: " + of("hello") + "\r\nRepr-Digest: " + of("other") + "\r\n"), 400, "VAL_003"},
		{"X: y", form("Repr-Digest: sha-256=:aGVsbG8=:\r\n"), 400, "VAL_003"},
	} {
		a := post(t, "multipart/form-data; boundary=b", c.body, c.header)
		if a.status != c.status || a.code != c.code {
			t.Errorf("%s, %q: %+v", c.header, c.body, a)
		}
		want := sha256.Sum256([]byte("hello"))
		if c.status == 200 && strings.Contains(c.body, "Digest") != bytes.Equal(a.claim, want[:]) {
			t.Errorf("%q: the engine is told of %x", c.body, a.claim)
		}
	}
}
