package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// handlerTransport answers requests with a handler, which runs in the client's goroutine. A handler that panics is a
// connection that is lost.
type handlerTransport http.HandlerFunc

func (h handlerTransport) RoundTrip(r *http.Request) (res *http.Response, err error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			err = p.(error) // as of the body
		}
	}()
	w := httptest.NewRecorder()
	h(w, r)
	if err := context.Cause(r.Context()); err != nil {
		return nil, err
	}
	res = w.Result()
	res.Request = r
	return res, nil
}

// inBubble runs do where time passes only while all goroutines wait, with a client that has the usual times and whose
// requests h answers.
func inBubble(t *testing.T, h http.HandlerFunc, do func(t *testing.T, c *Client)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := New("http://h/files", "secret")
		c.HTTP = &http.Client{Transport: handlerTransport(h)}
		c.URLs = NewURLStore(filepath.Join(dir, "noted"))
		do(t, c)
	})
}

// slowly reads what a client sends, two bytes a minute, and returns how many bytes came.
func slowly(r io.Reader) (n int64) {
	for {
		if _, err := io.CopyN(io.Discard, r, 1); err != nil {
			return n
		}
		n++
		time.Sleep(30 * time.Second)
	}
}

// Of what takes longer than GiveUpAfter, the time in which bytes move does not count.
func TestTheTimeOfBytesDoesNotCount(t *testing.T) {
	content := string(make([]byte, 30)) // takes 15 minutes
	for _, c := range []struct {
		name  string
		fails int // how many of the requests with bytes
		want  error
	}{
		{"once", 1, nil},
		{"each time", 1 << 30, ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			tries := 0
			answers := tusService(map[string]string{"POST": "Location: /files/tus/1", "PATCH": "Upload-Offset: 30",
				"HEAD": "Upload-Offset: 0\nUpload-Length: 30"})
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPatch {
					slowly(r.Body)
					if tries++; tries <= c.fails {
						panic(http.ErrAbortHandler) // and nothing of it is kept
					}
				}
				answers(w, r)
			}, func(t *testing.T, s *Client) {
				_, err := s.Upload(t.Context(), local(t, content))
				if c.want == nil && err != nil || tries < 2 {
					t.Errorf("%v after %d tries", err, tries)
				} else if c.want != nil {
					wantError(t, err, c.want, "")
				}
			})
		})
	}
}

// pausing is a stream that has nothing for an hour.
type pausing struct {
	io.Reader
	paused bool
}

func (p *pausing) Read(b []byte) (int, error) {
	if !p.paused {
		p.paused = true
		time.Sleep(time.Hour)
	}
	return p.Reader.Read(b)
}

func TestTheTimeOfAPausingStreamDoesNotCount(t *testing.T) {
	tries := 0
	answers := tusService(map[string]string{"POST": "Location: /files/tus/1", "PATCH": "Upload-Offset: 5",
		"HEAD": "Upload-Offset: 0\nUpload-Defer-Length: 1"})
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			if tries++; tries == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.Copy(io.Discard, r.Body)
		}
		answers(w, r)
	}, func(t *testing.T, c *Client) {
		if _, err := c.UploadStream(t.Context(), &pausing{Reader: bytes.NewReader([]byte("hello"))}, "stdin"); err != nil {
			t.Error(err)
		}
	})
}

// directService takes a file of two parts. Its store answers with put.
func directService(put func(w http.ResponseWriter, r *http.Request) (sent bool)) http.HandlerFunc {
	var mu sync.Mutex
	size := map[string]int{} // by the part's number
	return func(w http.ResponseWriter, r *http.Request) {
		switch what := r.Method + " " + r.URL.Path; what {
		case "POST /files/direct/":
			io.WriteString(w, `{"id": "1"}`)
		case "PUT /store/1", "PUT /store/2":
			if put(w, r) {
				mu.Lock()
				defer mu.Unlock()
				size[r.URL.Path[len("/store/"):]] = 30
			}
		case "GET /files/direct/1":
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(w, `{"state": "open", "parts": 2, "part_size": 30, "sent": [{"number": 1, "size": %d},
				{"number": 2, "size": %d}]}`, size["1"], size["2"])
		case "POST /files/direct/1/parts":
			var asked struct{ Parts []signedPut }
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				panic(err)
			}
			for i, p := range asked.Parts {
				asked.Parts[i].URL = fmt.Sprint("http://h/store/", p.Number)
			}
			json.NewEncoder(w).Encode(asked)
		case "POST /files/direct/1/complete":
			io.WriteString(w, `{"public_url": "http://h/files/1"}`)
		}
	}
}

// A part that fails ends neither the upload nor the other part, which takes longer than GiveUpAfter.
func TestOnePartFails(t *testing.T) {
	var first, second atomic.Int32
	h := directService(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/store/1" {
			first.Add(1)
			return slowly(r.Body) == 30 && r.Context().Err() == nil
		}
		if second.Add(1) == 1 {
			time.Sleep(time.Second) // the other one is under way
			w.WriteHeader(http.StatusInternalServerError)
			return false
		}
		return true
	})
	inBubble(t, h, func(t *testing.T, c *Client) {
		_, err := c.UploadDirect(t.Context(), local(t, string(make([]byte, 60))))
		if err != nil || first.Load() != 1 || second.Load() != 2 {
			t.Errorf("%v after %d and %d requests", err, first.Load(), second.Load())
		}
	})
}

// way is how a client sends a file, and a service that takes one of 60 bytes so.
type way struct {
	send    func(*Client, context.Context, string) (string, error)
	answers http.HandlerFunc
}

func ways() map[string]way {
	return map[string]way{
		"tus": {(*Client).Upload,
			tusService(map[string]string{"POST": "Location: http://h/files/tus/1", "PATCH": "Upload-Offset: 60"})},
		"direct": {(*Client).UploadDirect,
			directService(func(w http.ResponseWriter, r *http.Request) bool { return true })},
	}
}

// What fails for now is tried for as long as everything else, also the creation of an upload.
func TestCreationsThatFailForNow(t *testing.T) {
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			tries := 0
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					if tries++; tries <= 9 {
						w.WriteHeader(http.StatusServiceUnavailable)
						return
					}
				}
				c.answers(w, r)
			}, func(t *testing.T, s *Client) {
				if _, err := c.send(s, t.Context(), local(t, string(make([]byte, 60)))); err != nil {
					t.Errorf("%v after %d tries", err, tries)
				}
			})
		})
	}
}

// A service that finds an upload for HEAD, but not for PATCH, is not asked without a pause, nor for ever.
func TestAnUploadThatIsThereAndIsNot(t *testing.T) {
	tries := 0
	answers := tusService(map[string]string{"POST": "Location: http://h/files/tus/1", "PATCH": notFound,
		"HEAD": "Upload-Offset: 0\nUpload-Length: 5"})
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries > 1000 {
			panic(http.ErrAbortHandler) // or the test would have no end
		}
		answers(w, r)
	}, func(t *testing.T, c *Client) {
		_, err := c.Upload(t.Context(), local(t, "hello"))
		wantError(t, err, ErrUnreachable, "not found")
		if tries > 1000 {
			t.Errorf("%d requests", tries)
		}
	})
}

// stallingTransport answers with an error whose body never ends.
type stallingTransport struct{}

func (stallingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.Pipe()
	return &http.Response{StatusCode: http.StatusForbidden, Body: body, Request: r}, nil
}

func TestRefusalsThatStall(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, c *Client) {
		c.HTTP.Transport = stallingTransport{}
		begun := time.Now()
		_, err := c.Upload(t.Context(), local(t, "hello"))
		wantError(t, err, new(Refusal), "forbidden (403)")
		if took := time.Since(begun); took != c.StallTimeout {
			t.Errorf("after %s", took)
		}
	})
}
