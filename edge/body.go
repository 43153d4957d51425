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

// smallRest is the largest missing rest of a body, in bytes, that is waited for before the answer, for restPatience:
// most of such a body came with the headers, and then the connection can be kept.
const smallRest = 4 << 10

const restPatience = 100 * time.Millisecond

// linger is how long the connection of a client is still read after an answer that came before the end of the body. A
// connection that is closed while bytes arrive is reset, and then the client may lose the answer.
const linger = time.Second

// withEarlyAnswers sends an answer that doesn't need the rest of the body at once, and closes the connection. net/http
// would first read up to 256 KiB more to keep the connection, which takes a minute on a slow line. A stream of HTTP/2
// ends alone, with the handler.
func withEarlyAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &countedBody{ReadCloser: r.Body, length: r.ContentLength}
		r.Body = body
		early := false
		decide := func() {
			if !early && !body.hasArrived(w, r) {
				early = true
				if r.ProtoMajor < 2 {
					w.Header().Set("Connection", "close")
				}
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
		if !early {
			return
		}
		control, patience := http.NewResponseController(w), linger
		if r.Header.Get("Expect") != "" && body.n.Load() == 0 {
			patience = 0 // it waits for "100 Continue", so it has sent nothing, and will not
		}
		if control.Flush() == nil && control.SetReadDeadline(time.Now().Add(patience)) == nil && patience > 0 {
			io.Copy(io.Discard, body)
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

// hasArrived reports whether the whole body has arrived. If only a little is missing, it reads that. A client that
// waits for "100 Continue" has sent nothing, and a Read would ask it to send.
func (b *countedBody) hasArrived(w http.ResponseWriter, r *http.Request) bool {
	rest := b.missing()
	if rest > 0 && rest <= smallRest && (b.n.Load() > 0 || r.Header.Get("Expect") == "") {
		if http.NewResponseController(w).SetReadDeadline(time.Now().Add(restPatience)) == nil {
			io.Copy(io.Discard, b)
		}
		rest = b.missing()
	}
	return rest == 0
}

// missing returns how many bytes of the body were not read, as far as that is known.
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

// refuseRepeated refuses a request that changes something and has a field twice of which there is one (RFC 9110, 5.3):
// a proxy may have looked at the other one.
func refuseRepeated(respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		for _, name := range []string{"Content-Type", "Content-Disposition", "Origin"} {
			if !reads && len(r.Header.Values(name)) > 1 {
				respond.Write(w, r, file.Refuse(file.ErrInvalid, "%s is given more than once: send it once", name))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
