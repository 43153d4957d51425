package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// formOf returns a form with one file, and its Content-Type header.
func formOf(t *testing.T, name, mediaType string, content []byte) (body []byte, header string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename="%s"`, name)}}
	if mediaType != "" {
		h.Set("Content-Type", mediaType)
	}
	part, err := w.CreatePart(h)
	if err != nil {
		t.Fatal(err)
	}
	part.Write(content)
	w.Close()
	return b.Bytes(), "Content-Type: " + w.FormDataContentType()
}

// sent is the answer to a form.
type sent struct {
	URL string `json:"public_url"`
	ID  string `json:"file_id"`
}

func (s *server) sendForm(t *testing.T, name, mediaType string, content []byte, headers ...string) (sent, answer) {
	t.Helper()
	body, header := formOf(t, name, mediaType, content)
	a := s.do(t, "POST", "/files/upload", body, append(headers, header, "Tus-Resumable: -")...)
	var got sent
	if a.status == 200 {
		if err := json.Unmarshal(a.body, &got); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{"public_url":"%s/%s","file_id":"%s"}`, s.base, got.ID, got.ID); string(a.body) != want {
			t.Fatalf("got %s\nwant %s", a.body, want)
		}
	}
	return got, a
}

// names lists the server's files by name.
func (s *server) names(t *testing.T) (names []string) {
	t.Helper()
	var list struct {
		Files []struct{ Name string }
	}
	a := s.do(t, "GET", "/files/?limit=1000", nil)
	if err := json.Unmarshal(a.body, &list); err != nil {
		t.Fatalf("%v: %v", err, a)
	}
	for _, f := range list.Files {
		names = append(names, f.Name)
	}
	return names
}

// A client of the Python service sends a form, and downloads the file: small, of exactly one part, of several, and of
// exactly the cap.
func TestForm(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=20971520")
	for _, size := range []int{1, 2048, 2049, 100_000, 8 << 20, 8<<20 + 1, 16 << 20, 20 << 20} {
		content := random(size)
		got, a := s.sendForm(t, "отчёт 1.PDF", "application/pdf; x=y", content)
		if a.status != 200 {
			t.Fatalf("%d bytes: %v", size, a)
		}
		s.holds(t, got.URL, content)
		h := s.do(t, "HEAD", got.URL, nil).header
		if h.Get("Content-Type") != "application/pdf" || !strings.HasSuffix(h.Get("Content-Disposition"),
			"; filename*=utf-8''%D0%BE%D1%82%D1%87%D1%91%D1%82_1.PDF") {
			t.Errorf("%v", h)
		}
	}
	// Without the prefix, as behind a proxy that strips it.
	body, header := formOf(t, "a.txt", "", []byte("x"))
	if a := s.do(t, "POST", "/upload", body, header); a.status != 200 || !strings.Contains(string(a.body),
		`"public_url":"`+s.base+"/") {
		t.Errorf("%v", a)
	}
}

// Each kind of wrong form has its own answer, and leaves nothing behind.
func TestWrongForms(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000000")
	const b = "Content-Type: multipart/form-data; boundary=b"
	part := func(headers, content string) string { return "--b\r\n" + headers + "\r\n\r\n" + content + "\r\n" }
	file := part(`Content-Disposition: form-data; name="file"; filename="a.txt"`, "hello")
	const missing = `{"code":"VAL_002","message":"Missing required field",` +
		`"details":{"reason":"Field 'file' is required and must be a file"}}`
	s.check(t, []line{
		{"POST", "/files/upload", b, "--b--\r\n", 422, "VAL_002", missing},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="other"; filename="a"`, "x") + "--b--\r\n",
			422, "VAL_002", missing},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="file"`, "x") + "--b--\r\n", 422, "VAL_002",
			missing},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="file"; filename=""`, "") + "--b--\r\n", 422,
			"VAL_002", missing},
		{"POST", "/files/upload", "", "", 422, "VAL_002", missing},
		{"POST", "/files/upload", "Content-Type: application/x-www-form-urlencoded", "file=x", 422, "VAL_002",
			"Field 'file' is required and must be a file. The Content-Type says that the body is a form without one"},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="file"; filename="a"`, "") + "--b--\r\n", 422,
			"VAL_001", `{"code":"VAL_001","message":"Invalid file size"}`},
		{"POST", "/files/upload", "Content-Type: multipart/mixed; boundary=b", file + "--b--\r\n", 415, "VAL_005", ""},
		{"POST", "/files/upload", "Content-Type: multipart/form-data", file + "--b--\r\n", 400, "VAL_003", "boundary"},
		{"POST", "/files/upload", "Content-Type: multipart/form-data; boundary=", file, 400, "VAL_003", "boundary"},
		{"POST", "/files/upload", b, file, 400, "VAL_003", "broke off"},
		{"POST", "/files/upload", b, file + "--b", 400, "VAL_003", "broke off"},
		{"POST", "/files/upload", b, "nothing of a form", 400, "VAL_003", "broke off"},
		{"POST", "/files/upload", b, "", 400, "VAL_003", "broke off"},
		{"POST", "/files/upload", b, file + file + "--b--\r\n", 400, "VAL_003", "more than one"},
		{"POST", "/files/upload", b, "--b\r\nnot a header\r\n\r\nx\r\n--b--\r\n", 400, "VAL_003", ""},
		{"POST", "/files/upload", b, part("X: "+strings.Repeat("x",
			70_000)+"\r\n"+`Content-Disposition: form-data; name="file"; filename="a"`, "x"), 400, "VAL_003", "besides"},
		{"POST", "/files/upload", b, strings.Repeat(part(`Content-Disposition: form-data; name="x"`, "y"), 2000) + file +
			"--b--\r\n", 400, "VAL_003", "besides"},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="x"`, strings.Repeat("y", 70_000)) + file +
			"--b--\r\n", 400, "VAL_003", "besides"},
		{"POST", "/files/upload", b + "|Idempotency-Key: " + strings.Repeat("k", 256), file + "--b--\r\n", 400, "VAL_003",
			"Idempotency-Key"},
		{"POST", "/files/upload", b + "|Idempotency-Key: é", file + "--b--\r\n", 400, "VAL_003", "Idempotency-Key"},
		{"POST", "/files/upload", b + "|Idempotency-Key: a|Idempotency-Key: b", file + "--b--\r\n", 400, "VAL_003",
			"Idempotency-Key"},
		{"POST", "/files/upload", b + "|Authorization: Bearer hf_wrong", file + "--b--\r\n", 401, "AUTH_001",
			`{"code":"AUTH_001","message":"Authentication failed"}`},
		{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="file"; filename="big"`,
			strings.Repeat("x", 1_000_001)) + "--b--\r\n",
			413, "FILE_003", `{"code":"FILE_003","message":"File size exceeds limit",` +
				`"details":{"reason":"File size 1000001 bytes exceeds limit 1000000 bytes"}}`},
		{"GET", "/files/upload", "", "", 405, "VAL_006", ""},
	})
	if left := s.names(t); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
	s.nothingStored(t)

	// Other fields do no harm, as long as they are small.
	s.check(t, []line{{"POST", "/files/upload", b, part(`Content-Disposition: form-data; name="x"`, "y") + file +
		part(`Content-Disposition: form-data; name="z"; filename="z"`, "y") + "--b--\r\nthe end", 200, "", ""}})
}

// nothingStored waits until the embedded store has no object.
func (s *server) nothingStored(t *testing.T) {
	t.Helper()
	s.eventually("nothing is left in the store", func() bool {
		left := 0
		filepath.WalkDir(filepath.Join(s.data, "store"), func(_ string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "identity" {
				left++
			}
			return nil
		})
		return left == 0
	})
}

// A form that is too large is refused without reading its body, or, if its length is unknown, once the cap is reached.
func TestFormOverTheCapIsNotTakenIn(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000000", "READ_TIMEOUT=2s") // after which the connection ends, at the latest
	for _, length := range []string{"Content-Length: 50000000000", "Transfer-Encoding: chunked"} {
		c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: "+
			"multipart/form-data; boundary=b\r\n%s\r\n\r\n", s.token, length)
		if strings.HasPrefix(length, "Transfer") {
			head := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x",
				1_000_001)
			fmt.Fprintf(c, "%x\r\n%s\r\n", len(head), head)
		}
		got, err := io.ReadAll(c) // to the end: the connection is closed
		if err != nil {
			t.Fatal(err)
		}
		if text := string(got); !strings.HasPrefix(text, "HTTP/1.1 413 ") || !strings.Contains(text, "FILE_003") ||
			!strings.Contains(text, "Connection: close") {
			t.Errorf("%s: %s", length, text)
		}
	}
	s.nothingStored(t)
}

// A client that goes away in the middle leaves nothing, however much of its file was stored.
func TestFormCutOffLeavesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	body, header := formOf(t, "a.bin", "", random(30<<20))
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\nContent-Length: "+
		"%d\r\n\r\n", s.token, header, len(body))
	if _, err := c.Write(body[:20<<20]); err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.nothingStored(t)
	if left := s.names(t); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

// A client that stops sending gets an error, and leaves nothing.
func TestFormThatStallsIsEnded(t *testing.T) {
	t.Parallel()
	s := start(t, "READ_TIMEOUT=1s")
	body, header := formOf(t, "a.bin", "", random(9<<20))
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\nContent-Length: "+
		"%d\r\n\r\n", s.token, header, len(body))
	c.Write(body[:len(body)-100])
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 408 ") || !strings.Contains(string(got), "UPLOAD_008") {
		t.Errorf("%s %v", got, err)
	}
	s.nothingStored(t)
}

// The same request with an Idempotency-Key has the same answer and makes no second file; of several at once, one
// succeeds.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(100_000)
	first, _ := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 1")
	for range 3 {
		if again, a := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 1"); again != first {
			t.Fatalf("%+v, %v; want %+v", again, a, first)
		}
	}
	for _, other := range []struct {
		name    string
		content []byte
	}{{"a.txt", content[1:]}, {"a.txt", append(bytes.Clone(content), 0)}, {"b.txt", content},
		{"a.txt", bytes.Repeat([]byte("x"), 100_000)}} {
		if _, a := s.sendForm(t, other.name, "", other.content, "Idempotency-Key: k 1"); a.status != 422 ||
			a.code() != "UPLOAD_010" {
			t.Errorf("another file: %v", a)
		}
	}
	other := s.run("token", "create", "--user", "2", "--account", "1")
	if theirs, a := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 1",
		"Authorization: Bearer "+other); a.status != 200 || theirs == first {
		t.Errorf("another user has keys of their own: %v", a)
	}
	if second, a := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 2"); a.status != 200 || second == first {
		t.Errorf("another key is another file: %v", a)
	}

	// A first attempt that breaks off does not block the second.
	if _, a := s.sendForm(t, "a.txt", "", nil, "Idempotency-Key: k 3"); a.status != 422 {
		t.Errorf("%v", a)
	}
	body, header := formOf(t, "a.txt", "", content)
	if a := s.do(t, "POST", "/files/upload", body[:len(body)-10], header, "Idempotency-Key: k 3"); a.status != 400 {
		t.Errorf("%v", a)
	}
	if _, a := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 3"); a.status != 200 {
		t.Errorf("%v", a)
	}

	// After the file is deleted, the key is free.
	s.do(t, "DELETE", first.URL, nil)
	if again, a := s.sendForm(t, "a.txt", "", content, "Idempotency-Key: k 1"); a.status != 200 || again == first {
		t.Errorf("%v", a)
	}
}

func TestIdempotencyKeyInFlight(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(1 << 20)
	body, header := formOf(t, "a.txt", "", content)
	in, out := io.Pipe()
	var first answer
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		first, failed = s.ask("POST", s.base+"/upload", in, header, "Idempotency-Key: k")
	})
	out.Write(body[:10_000])
	s.eventually("the first is seen", func() bool { // by a client whose request did not replace it
		_, a := s.sendForm(t, "a.txt", "", nil, "Idempotency-Key: k")
		return a.status == 409
	})
	if a := s.do(t, "POST", "/files/upload", body, header, "Idempotency-Key: k"); a.status != 409 ||
		a.code() != "UPLOAD_009" || a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a)
	}
	out.Write(body[10_000:])
	out.Close()
	wg.Wait()
	if failed != nil || first.status != 200 {
		t.Fatalf("%v %v", first, failed)
	}
	if a := s.do(t, "POST", "/files/upload", body, header, "Idempotency-Key: k"); !bytes.Equal(a.body, first.body) {
		t.Errorf("%v, want %v", a, first)
	}
}
