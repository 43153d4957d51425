package download

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/felixge/httpsnoop"
)

// countingWriter observes one download.
type countingWriter struct {
	metrics *metrics
	began   time.Time
	status  int
	length  int64 // of the body, by Content-Length
	sent    int64 // bytes of it
}

// observe returns w with every call recorded in c. The result has the same abilities as w (ReadFrom), so that bytes
// from a socket need not pass through this process.
func (c *countingWriter) observe(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(status int) {
				if c.status == 0 {
					c.status = status
					c.length, _ = strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
				}
				next(status)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				n, err := next(b)
				c.count(int64(n))
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(r io.Reader) (int64, error) {
				n, err := next(r)
				c.count(n)
				return n, err
			}
		},
	})
}

func (c *countingWriter) count(n int64) {
	c.sent += n
	if c.status == http.StatusOK || c.status == http.StatusPartialContent { // otherwise it is the body of an error
		c.metrics.sent.Add(float64(n))
	}
}

func (c *countingWriter) end() {
	outcome := c.outcome()
	c.metrics.downloads.WithLabelValues(outcome).Inc()
	c.metrics.durations.WithLabelValues(outcome).Observe(time.Since(c.began).Seconds())
}

func (c *countingWriter) outcome() string {
	switch {
	case c.status == 0 || c.status < 300 && c.sent < c.length:
		return "broken"
	case c.status == http.StatusPartialContent:
		return "range"
	case c.status < 300:
		return "whole"
	case c.status == http.StatusNotModified:
		return "not_modified"
	case c.status < 400:
		return "redirected"
	case c.status < 500:
		return "refused"
	default:
		return "failed"
	}
}
