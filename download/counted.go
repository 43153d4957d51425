package download

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// counted sees what becomes of a download.
type counted struct {
	http.ResponseWriter
	metrics *metrics
	began   time.Time
	status  int
	length  int64 // of the body, as it was declared
	sent    int64 // bytes of it
}

func (c *counted) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
		c.length, _ = strconv.ParseInt(c.Header().Get("Content-Length"), 10, 64)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.count(int64(n))
	return n, err
}

// ReadFrom leads to the connection's own: what comes from a socket need not pass through
// this process.
func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.count(n)
	return n, err
}

func (c *counted) count(n int64) {
	c.sent += n
	if c.status == http.StatusOK || c.status == http.StatusPartialContent { // else it is an error's text
		c.metrics.sent.Add(float64(n))
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) end() {
	outcome := c.outcome()
	c.metrics.downloads.WithLabelValues(outcome).Inc()
	c.metrics.durations.WithLabelValues(outcome).Observe(time.Since(c.began).Seconds())
}

func (c *counted) outcome() string {
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
