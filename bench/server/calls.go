package server

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Calls is a proxy in front of an S3 store that counts the calls to it. It takes time, so timed rows run without it.
type Calls struct {
	URL string

	mu     sync.Mutex
	counts map[string]int
	server *http.Server
}

// CountCalls starts the proxy.
func CountCalls(endpoint string) (*Calls, error) {
	to, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("count calls: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("count calls: %w", err)
	}
	c := &Calls{URL: "http://" + listener.Addr().String(), counts: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		// The Host header must not change: the signature covers it.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, r.In.Host
		},
		// A body can't be sent again on another connection if the store has closed an idle one, so none is kept. Python's
		// client asks before it sends a body.
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, ExpectContinueTimeout: time.Second},
		ErrorLog:  log.New(io.Discard, "", 0), // a server that stops cuts its connections
	}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.counts[kind(r)]++
		c.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = c.server.Serve(listener) }() // it ends with Stop
	return c, nil
}

// Take returns the counts since the last Take, by S3's names.
func (c *Calls) Take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := maps.Clone(c.counts)
	clear(c.counts)
	return counts
}

// Stop ends the proxy.
func (c *Calls) Stop() error { return c.server.Close() }

// kind returns S3's name of a call with a path-style address.
func kind(r *http.Request) string {
	q := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	on := "Bucket"
	if key != "" {
		on = "Object"
	}
	switch {
	case q.Has("uploadId") && r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "UploadPartCopy"
	case q.Has("uploadId"):
		return map[string]string{http.MethodPut: "UploadPart", http.MethodPost: "CompleteMultipartUpload",
			http.MethodDelete: "AbortMultipartUpload", http.MethodGet: "ListParts"}[r.Method]
	case q.Has("uploads") && r.Method == http.MethodPost:
		return "CreateMultipartUpload"
	case q.Has("uploads"):
		return "ListMultipartUploads"
	case q.Has("delete") && r.Method == http.MethodPost:
		return "DeleteObjects"
	case r.Method == http.MethodPut && on == "Bucket":
		return "CreateBucket"
	case r.Method == http.MethodGet && on == "Bucket":
		return "ListObjects"
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObject"
	}
	verb := map[string]string{http.MethodPut: "Put", http.MethodGet: "Get", http.MethodHead: "Head",
		http.MethodDelete: "Delete"}[r.Method]
	if verb == "" {
		verb = r.Method + " "
	}
	return verb + on
}
