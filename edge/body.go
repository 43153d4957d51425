package edge

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"

	"holdfast/file"
	"holdfast/problem"
)

// smallRest is the largest unread rest of a body, in bytes, that net/http may still read after the answer to keep the
// connection. Such a rest has mostly arrived with the headers.
const smallRest = 4 << 10

// linger is how long the service goes on reading from a client after an early answer. If a connection is closed while
// bytes still arrive, it is reset, and the client may lose the answer.
const linger = time.Second

// withEarlyAnswers sends an answer that doesn't need the rest of the body at once, and closes the connection. net/http
// would first read up to 256 KiB more to keep the connection, which takes a minute on a slow line.
func withEarlyAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 || r.Body == http.NoBody || r.ProtoMajor != 1 {
			next.ServeHTTP(w, r)
			return
		}
		body := &countedBody{ReadCloser: r.Body, length: r.ContentLength}
		r.Body = body
		early := false
		decide := func() {
			if body.missing() > smallRest && !early {
				early = true
				w.Header().Set("Connection", "close")
			}
		}
		next.ServeHTTP(httpsnoop.Wrap(w, httpsnoop.Hooks{
			WriteHeader: func(write httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
				return func(status int) {
					if status >= 200 {
						decide()
					}
					write(status)
				}
			},
			Write: func(write httpsnoop.WriteFunc) httpsnoop.WriteFunc {
				return func(b []byte) (int, error) { decide(); return write(b) }
			},
		}), r)
		// A client that waits for "100 Continue" has sent nothing and will send nothing.
		if early && (r.Header.Get("Expect") == "" || body.n.Load() > 0) {
			control := http.NewResponseController(w)
			if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(linger)) == nil {
				io.Copy(io.Discard, body)
			}
		}
	})
}

// countedBody counts the bytes read from a body.
type countedBody struct {
	io.ReadCloser
	length int64 // bytes; -1 if it is not known
	n      atomic.Int64
	ended  atomic.Bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	if err == io.EOF {
		b.ended.Store(true)
	}
	return n, err
}

// missing returns how many bytes of the body were not read; a huge number if the length is not known.
func (b *countedBody) missing() int64 {
	switch {
	case b.ended.Load():
		return 0
	case b.length < 0:
		return 1 << 62
	}
	return b.length - b.n.Load()
}

// refuseContentEncoding refuses bodies with a Content-Encoding: they would be stored encoded, and served as if they
// were the file itself (RFC 9110, 8.4 and 15.5.16).
func refuseContentEncoding(respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, value := range r.Header.Values("Content-Encoding") {
			for coding := range strings.SplitSeq(value, ",") {
				if c := strings.TrimSpace(coding); c != "" && !strings.EqualFold(c, "identity") {
					w.Header().Set("Accept-Encoding", "identity")
					respond.Write(w, r, file.Refuse(file.ErrMediaType,
						"Content-Encoding is not taken: send the bytes of the file as they are"))
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}
