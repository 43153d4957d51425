package form

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/problem"
	"holdfast/upload"
)

// anyBody takes every body for whole. Package resumable has the rule.
func anyBody(*http.Request) error { return nil }

// FuzzForm sends any body under any Content-Type. It becomes a file or is refused; no more than is allowed is read
// besides the file; and the file is the one that the standard library finds in the form.
func FuzzForm(f *testing.F) {
	const form = "multipart/form-data; boundary=b"
	part := func(headers, content string) string { return "--b\r\n" + headers + "\r\n\r\n" + content + "\r\n" }
	head := `Content-Disposition: form-data; name="file"; filename="a.txt"`
	for _, body := range []string{
		part(head, "hello") + "--b--\r\n", part(head, "hello"), part(head, "") + "--b--", "--b--", "",
		part(head+"\r\nContent-Type: text/html", "<b>") + part(`Content-Disposition: form-data; name="x"`, "y") +
			"--b--\r\nbehind",
		part(head, "1") + part(head, "2") + "--b--", "before\r\n" + part(head, "\r\n--b\r") + "--b--",
		part(`Content-Disposition: form-data; name="file"; filename="a%22b%0D%0Ac"`, "x") + "--b--",
		part(`Content-Disposition: form-data; name="file"; filename*=utf-8''%e2%82%ac`, "x") + "--b--",
		part(head+"\r\nContent-Transfer-Encoding: quoted-printable", "=41") + "--b--",
	} {
		f.Add(form, []byte(body))
	}
	f.Add("multipart/form-data", []byte("x"))
	f.Add("text/plain; boundary=b", []byte("x"))
	f.Add(";", []byte{})
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var got []byte
		var name string
		h := New(Options{Respond: problem.Responder{}, ReadTimeout: time.Minute, Whole: anyBody,
			Base: func(*http.Request) string { return "" },
			Fits: func(int64) error { return nil },
			Receive: func(_ context.Context, c upload.Creation, body io.Reader, _ func()) (*file.Upload, error) {
				b, err := io.ReadAll(body)
				got, name = b, c.Name
				return &file.Upload{ID: "id"}, err
			}})
		r := httptest.NewRequest("POST", "/upload", bytes.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		w := httptest.NewRecorder()
		h.Serve(w, r)
		if w.Code >= 500 || w.Code != 200 && (w.Code < 400 || w.Header().Get("Connection") != "close") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code != 200 {
			return
		}
		want, there := stdlib(t, contentType, body)
		if !there || !bytes.Equal(got, want) || name == "" {
			t.Fatalf("%q %q, want %q", name, got, want)
		}
	})
}

// stdlib returns the field "file" as mime/multipart reads it from the whole body.
func stdlib(t *testing.T, contentType string, body []byte) (content []byte, there bool) {
	_, params, err := parseParameters(contentType)
	if err != nil {
		t.Fatal(err)
	}
	for m := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		p, err := m.NextRawPart()
		if err == io.EOF {
			return nil, false
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, params, _ := parseParameters(p.Header.Get("Content-Disposition")); params["name"] == "file" {
			return b, true
		}
	}
}

// When the service stops, it ends an upload, and asks the client to retry.
func TestInterrupt(t *testing.T) {
	began, interrupted := make(chan func(), 1), make(chan struct{})
	h := New(Options{ReadTimeout: time.Minute, Whole: anyBody, Fits: func(int64) error { return nil },
		Receive: func(_ context.Context, _ upload.Creation, body io.Reader, interrupt func()) (*file.Upload, error) {
			began <- interrupt
			defer close(interrupted)
			_, err := io.Copy(io.Discard, body)
			if !errors.Is(err, file.ErrStopping) {
				t.Errorf("%v", err)
			}
			return nil, err
		}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Respond.Log = nil
		if _, err := h.receive(w, r); err == nil {
			t.Error("no error")
		}
	}))
	defer server.Close()
	in, out := io.Pipe()
	defer out.Close()
	go http.Post(server.URL, "multipart/form-data; boundary=b", in)
	io.Copy(out, strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nxxx"))
	(<-began)()
	<-interrupted
}

// The engine interrupts a form that was answered long ago. The next request on the same connection is not affected.
func TestLateInterrupt(t *testing.T) {
	var interrupt func()
	read := make(chan bool)
	h := New(Options{ReadTimeout: time.Minute, Whole: anyBody, Fits: func(int64) error { return nil },
		Base: func(*http.Request) string { return "" },
		Receive: func(_ context.Context, _ upload.Creation, body io.Reader, i func()) (*file.Upload, error) {
			_, err := io.Copy(io.Discard, body)
			interrupt = i
			read <- true
			return &file.Upload{ID: "id"}, err
		}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if interrupt == nil {
			h.Serve(w, r)
			return
		}
		interrupt()
		read <- true
		if content, err := io.ReadAll(r.Body); string(content) != "second" || err != nil {
			t.Errorf("%q %v", content, err)
		}
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, c := range []struct{ before, after string }{
		// The end of the file is read, but not the end of the body.
		{"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n", "."},
		{"", "second"},
	} {
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"+
			"Content-Length: %d\r\n\r\n%s", len(c.before)+len(c.after), c.before)
		<-read
		io.WriteString(conn, c.after)
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(res, err)
		}
		io.Copy(io.Discard, res.Body)
	}
}
