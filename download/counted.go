package download

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// countingWriter observes one download. It has a ReadFrom, so that bytes from a socket need not pass through this
// process if the writer that it wraps can do that.
type countingWriter struct {
	http.ResponseWriter
	metrics *metrics
	began   time.Time
	status  int
	length  int64 // of the body, by Content-Length
	sent    int64 // bytes of it
}

func (c *countingWriter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
		c.length, _ = strconv.ParseInt(c.Header().Get("Content-Length"), 10, 64)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.count(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (c *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.count(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

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
