package reqbody

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"
)

// smallRest is the largest missing rest of a body, in bytes, that is waited for before the answer, for restPatience:
// most of such a body came with the headers, and then the connection can be kept.
const smallRest = 4 << 10

const restPatience = 100 * time.Millisecond

// linger is how long the connection of a client is still read after an answer that came before the end of the body. A
// connection that is closed while bytes arrive is reset, and then the client may lose the answer.
const linger = time.Second

// AnswerEarly sends an answer that doesn't need the rest of the body at once, and closes the connection. net/http would
// first read up to 256 KiB more to keep the connection, which takes a minute on a slow line. A stream of HTTP/2 ends
// alone, with the handler.
//
// It also closes a connection on which reading the body has failed. net/http would keep it if the rest of the body came
// all the same, and has ended the context of all its later requests.
func AnswerEarly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &countedBody{ReadCloser: r.Body, length: r.ContentLength}
		r.Body = body
		decided, early := false, false
		decide := func() {
			if decided {
				return
			}
			decided, early = true, !body.hasArrived(w, r)
			if r.ProtoMajor < 2 && (early || body.failed.Load()) {
				w.Header().Set("Connection", "close")
			}
		}
		r = r.WithContext(context.WithValue(r.Context(), failedKey{}, &body.failed))
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

// failedKey is the key of an *atomic.Bool in the context of a request. It is set once the connection must not serve
// another one.
type failedKey struct{}

// countedBody counts the bytes read from a body.
type countedBody struct {
	io.ReadCloser
	length int64 // bytes; -1 if it is not known
	n      atomic.Int64
	ended  atomic.Bool
	failed atomic.Bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	switch err {
	case nil:
	case io.EOF:
		b.ended.Store(true)
	default:
		b.failed.Store(true)
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
