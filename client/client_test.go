package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// internal/e2e tests with services that follow the protocol. These servers don't.

func service(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c := New(s.URL+"/files/", "secret")
	c.GiveUpAfter, c.Backoff = time.Second, time.Millisecond
	c.URLs = NewURLStore(filepath.Join(t.TempDir(), "noted"))
	return c
}

func local(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// tusService has the headers of its answers to each kind of request, as "Name: value" lines.
func tusService(answers map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind := r.Method
		if kind == "HEAD" && !strings.Contains(r.URL.Path, "/tus/") {
			kind = "file"
		}
		status := map[string]int{"POST": 201, "PATCH": 204, "HEAD": 200, "file": 200, "DELETE": 204}[kind]
		for line := range strings.Lines(answers[kind]) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if name == "Status" {
				fmt.Sscan(value, &status)
			} else {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(status)
	}
}

// wantError checks an error's kind (nil: any kind) and that its text contains says.
func wantError(t *testing.T, err, kind error, says string) {
	t.Helper()
	var no *Refusal
	switch {
	case err == nil || !strings.Contains(err.Error(), says):
		t.Errorf("%v, want %q", err, says)
	case errors.As(kind, &no) && !errors.As(err, &no):
		t.Errorf("%v is no refusal", err)
	case kind != nil && no == nil && !errors.Is(err, kind):
		t.Errorf("%v, want %v", err, kind)
	}
}

func TestServicesThatAnswerNonsense(t *testing.T) {
	path := local(t, "hello")
	good := map[string]string{"POST": "Location: /files/tus/1", "PATCH": "Upload-Offset: 5",
		"HEAD": "Upload-Offset: 0\nUpload-Length: 5",
		"file": "Repr-Digest: " + digestOf("hello")}
	for _, c := range []struct {
		name, kind, answer string
		want               error  // its kind, or
		says               string // its text
	}{
		{"nothing is wrong", "", "", nil, ""},
		{"no digest is known", "file", "", nil, ""},
		{"a digest in another form", "file", "Repr-Digest: sha-256=abc", nil, ""},
		{"another file is there", "file", "Repr-Digest: " + digestOf("other"), ErrDigest, ""},
		{"no tus", "POST", "Status: 200", nil, "no tus service"},
		{"no location", "POST", "", nil, "no tus service"},
		{"a location elsewhere", "POST", "Location: http://127.0.0.1:1/files/tus/1", nil, "not under"},
		{"a refusal", "POST", "Status: 403", new(Refusal), ""},
		{"an offset that is none", "PATCH", "Upload-Offset: x", nil, "answered offset"},
		{"an offset beyond the file", "PATCH", "Upload-Offset: 6", nil, "answered offset"},
		{"an offset that stands still", "PATCH", "Upload-Offset: 0", nil, "answered offset"},
		{"the upload is forgotten each time", "PATCH", notFound, nil, "forgets"},
		{"always too busy", "PATCH", "Status: 503\nRetry-After: 0", ErrUnreachable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := map[string]string{}
			for kind, a := range good {
				answers[kind] = a
			}
			if c.kind != "" {
				answers[c.kind] = c.answer
			}
			if strings.Contains(c.name, "forgotten") {
				answers["HEAD"] = notFound
			}
			url, err := service(t, tusService(answers)).Upload(t.Context(), path)
			if c.want != nil || c.says != "" {
				wantError(t, err, c.want, c.says)
			} else if err != nil || !strings.HasSuffix(url, "/files/1") {
				t.Errorf("%q %v", url, err)
			}
		})
	}
}

// An answer about another upload is not taken for one about this upload.
func TestAnUploadThatWasNotedButIsAnother(t *testing.T) {
	path := local(t, "hello")
	c := service(t, tusService(map[string]string{"HEAD": "Upload-Offset: 2\nUpload-Length: 7"}))
	info, err := os.Stat(path)
	if err == nil {
		err = c.URLs.save(c.Base, path, info, c.Base+"/tus/1")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), path); err == nil || !strings.Contains(err.Error(), `of "7" bytes`) {
		t.Error(err)
	}
}

// notFound is the service's answer; one of a proxy that does not see the service is not in JSON.
const notFound = "Status: 404\nContent-Type: application/json"

const tenBytes = "0123456789"

// breakOff declares ten bytes, sends four and cuts the connection.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("ETag", `"a"`)
	w.Header().Set("Content-Length", "10")
	w.Write([]byte(tenBytes[:4]))
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func serveTenBytes(w http.ResponseWriter, r *http.Request, etag string) {
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(tenBytes))
}

// replacedMidway breaks off the first GET, and has another file under the same URL then.
func replacedMidway() http.HandlerFunc {
	gets := 0
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			if gets++; gets == 1 {
				breakOff(w)
			}
		}
		serveTenBytes(w, r, map[bool]string{true: `"b"`, false: `"a"`}[gets > 0])
	}
}

// ignoresRange breaks off the first GET, and answers the next one from byte 0.
func ignoresRange() http.HandlerFunc {
	gets := 0
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Content-Length", "10")
		if r.Method == "GET" {
			if gets++; gets == 1 {
				breakOff(w)
			}
			w.Write([]byte(tenBytes))
		}
	}
}

func TestDownloadsThatAreNotWhatTheyShouldBe(t *testing.T) {
	for _, c := range []struct {
		name   string
		serve  http.HandlerFunc
		want   error
		says   string
		remain bool // the part file stays, for resuming
	}{
		{"other bytes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Repr-Digest", digestOf("other"))
			serveTenBytes(w, r, `"a"`)
		}, ErrDigest, "", false},
		{"another file halfway", replacedMidway(), new(Refusal), "", true},
		{"ranges are not understood", ignoresRange(), nil, "from byte 4 on", true},
		{"a name that leads elsewhere", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Disposition", `attachment; filename=".."`)
			w.Header().Set("Content-Length", "10")
		}, nil, "no file name", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := service(t, c.serve)
			_, err := s.Download(context.Background(), s.Base+"/1", Target{Path: dir})
			wantError(t, err, c.want, c.says)
			left, _ := filepath.Glob(filepath.Join(dir, "*"))
			if remain := len(left) > 0; remain != c.remain {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// A file is written to the given folder, whatever name the service gives it.
func TestNamesStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	for header, want := range map[string]string{
		`attachment; filename="a.txt"`:                         "a.txt",
		`attachment; filename="../../etc/passwd"`:              "passwd",
		`attachment; filename="c:\\x\\y.txt"`:                  "y.txt",
		`attachment; filename="a.txt"; filename*=utf-8''b.txt`: "b.txt",
		"":                              "1",
		`attachment; filename*=utf-8''`: "1",
	} {
		got, err := Target{Path: dir}.path("http://h/files/1?signature=x", http.Header{"Content-Disposition": {header}})
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %q %v, want %q", header, got, err, want)
		}
	}
}

// The token is sent to its own service only.
func TestTheTokenGoesNowhereElse(t *testing.T) {
	c := New("https://files.example.org/files", "secret")
	for url, want := range map[string]string{
		"https://files.example.org/files/1":        "Bearer secret",
		"https://files.example.org/files":          "Bearer secret",
		"https://files.example.org/filesystem/1":   "",
		"https://files.example.org.evil.com/files": "",
		"http://files.example.org/files/1":         "",
	} {
		r, err := c.request(t.Context(), "GET", url, nil)
		if err != nil || r.Header.Get("Authorization") != want {
			t.Errorf("%s: %q %v", url, r.Header.Get("Authorization"), err)
		}
	}
}

// Bytes of a stream that the service has lost can't be sent again, and no others are sent in their place.
func TestStreamThatTheServiceLost(t *testing.T) {
	for _, lost := range []string{"Upload-Offset: 0\nUpload-Defer-Length: 1", notFound} {
		var patches int
		answers := tusService(map[string]string{"POST": "Location: /files/tus/1", "HEAD": lost})
		c := service(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPatch {
				answers(w, r)
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			if patches++; patches > 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Upload-Offset", fmt.Sprint(n))
			w.WriteHeader(http.StatusNoContent)
		})
		_, err := c.UploadStream(t.Context(), bytes.NewReader(make([]byte, streamBuffer+5)), "stdin")
		if !errors.Is(err, errLost) || patches != 2 {
			t.Errorf("%s: %v after %d requests", lost, err, patches)
		}
	}
}

// A file that is not the one that was to be sent does not stay in the account. If it does, the error has its URL.
func TestWrongFilesAreRemoved(t *testing.T) {
	for _, c := range []struct{ deletion, says string }{
		{"Status: 204", "what was stored is removed"},
		{notFound, "what was stored is removed"},
		{"Status: 403", "what was stored is still at "},
		{"Status: 404\nContent-Type: text/plain", "what was stored is still at "},
	} {
		deleted := ""
		answers := tusService(map[string]string{"POST": "Location: /files/tus/1", "PATCH": "Upload-Offset: 5",
			"file": "Repr-Digest: " + digestOf("other"), "DELETE": c.deletion})
		s := service(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				deleted = r.URL.Path
			}
			answers(w, r)
		})
		_, err := s.Upload(t.Context(), local(t, "hello"))
		wantError(t, err, ErrDigest, c.says)
		if deleted != "/files/1" {
			t.Errorf("%q is deleted", deleted)
		}
	}
}

// The file is appended to while it is sent.
func TestChangedFilesAreRemoved(t *testing.T) {
	path := local(t, "hello")
	deleted := false
	answers := tusService(map[string]string{"POST": "Location: /files/tus/1", "PATCH": "Upload-Offset: 5"})
	s := service(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			if err := os.WriteFile(path, []byte("hello, world"), 0o600); err != nil {
				t.Error(err)
			}
		}
		deleted = deleted || r.Method == http.MethodDelete
		answers(w, r)
	})
	_, err := s.Upload(t.Context(), path)
	wantError(t, err, ErrChanged, "what was stored is removed")
	if !deleted {
		t.Error("the file stays")
	}
}

// What is said when the retries are used up is true: of a service that answers, and of one that does not.
func TestWhatIsSaidOfRetries(t *testing.T) {
	busy := service(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusInsufficientStorage)
	})
	err := busy.Delete(t.Context(), busy.Base+"/1")
	wantError(t, err, ErrUnreachable, "the service could not do it: insufficient storage (507); "+
		"it asks to be tried again after 1m0s")
	wantError(t, err, new(Refusal), "")
	away := service(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	wantError(t, away.Delete(t.Context(), away.Base+"/1"), ErrUnreachable, "the service can't be reached")
}
