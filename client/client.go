// Package client uploads files to a Holdfast and downloads them over unreliable connections, lists and deletes them,
// and makes links. It is what `holdfast upload` and `holdfast download` run.
//
// A Client is for one service and one token; it may be used by several goroutines. Files are named by their URLs, as
// Upload and List return them.
//
// An upload speaks tus 1.0.0 and resumes after a lost connection and after the end of the process. A download
// resumes by ranges (RFC 9110, 14) under the ETag of what it has. Both end with a comparison of the whole file's
// SHA-256 with the service's (Repr-Digest, RFC 9530).
//
// # Errors
//
// *Refusal is an answer that another try would not change; its Code says why, and errors.Is compares it with
// fs.ErrNotExist and fs.ErrPermission. ErrUnreachable is returned after GiveUpAfter without progress. It wraps the
// last error, which may be a *Refusal as well (5xx, 408, 409, 423, 429, a proxy's 404), so look for it first. ErrDigest
// says that the bytes at the other end are not the file's. When ctx ends, its cause is returned.
package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrUnreachable says that the retries were used up: the service was not reached, or answered each time that it can't
	// do it now. What was transferred is kept: try again later.
	ErrUnreachable = errors.New("the service can't be reached")
	// ErrDigest says that the bytes that were stored, or came, are not the file's.
	ErrDigest = errors.New("the SHA-256 is wrong")
	// ErrChanged says that a file was changed while it was uploaded.
	ErrChanged = errors.New("the file was changed while it was sent")
	// ErrExists says that a download would overwrite a file.
	ErrExists = errors.New("the file exists already")
	// ErrInUse says that a download would write the partial file that another one is writing.
	ErrInUse = errors.New("the file is being downloaded by another process")
)

// Codes of refusals that programs may want to tell from each other. A service's /docs has all of them.
const (
	CodeUnauthenticated = "AUTH_001"   // no token, or a wrong one
	CodeForbidden       = "PERM_001"   // not with this token
	CodeDenied          = "FILE_002"   // the file is not for the token's user
	CodeNotFound        = "FILE_001"   // there is no such file
	CodeTooLarge        = "FILE_003"   // the file is larger than the service takes
	CodeQuota           = "QUOTA_001"  // a quota is exceeded: the account's, or of unfinished uploads
	CodeInvalid         = "VAL_003"    // Reason says what is wrong with the request
	CodeHarmful         = "UPLOAD_011" // the virus scanner found something
)

// Refusal is an answer that another try would not change.
type Refusal struct {
	Status  int    // of HTTP
	Code    string // as in CodeNotFound; empty if the answer is not from Holdfast
	Message string // for people
	Reason  string // what exactly is wrong; may be empty

	inJSON bool // as the service answers, also to HEAD
}

// Is reports whether the refusal is fs.ErrNotExist (404, 410) or fs.ErrPermission (401, 403).
func (r *Refusal) Is(target error) bool {
	switch r.Status {
	case http.StatusNotFound, http.StatusGone:
		return target == fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == fs.ErrPermission
	}
	return false
}

func (r *Refusal) Error() string {
	text := r.Message
	if text == "" {
		text = strings.ToLower(http.StatusText(r.Status))
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return fmt.Sprintf("%s (%s)", text, strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code)))
}

// Client is a client of one service. New makes one; its fields may be changed before it is used.
type Client struct {
	// Base is the base URL of the service's files, without a trailing slash.
	Base string
	// Token is sent to URLs under Base only, also after redirects; empty: none.
	Token string
	// HTTP sends the requests. It must have no Timeout, which would end long transfers.
	HTTP *http.Client
	// GiveUpAfter is how long a transfer is retried without progress before it fails. Bytes that arrive start that time
	// anew. Time in which bytes move, though they get lost, and in which a stream has none to send does not count.
	GiveUpAfter time.Duration
	// Backoff is the mean delay before the first retry; it doubles with each one, up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// StallTimeout is how long a connection may transfer nothing before it is closed.
	StallTimeout time.Duration
	// URLs stores the URLs of unfinished uploads, so that another process can resume them; nil: it can't.
	URLs *URLStore
	// Warn is called, by the goroutines of all uploads, when URLs can't be written. The upload goes on, but another
	// process can't resume it.
	Warn func(err error)
	// Progress is called with the number of bytes transferred since the last call, by the goroutines of all transfers.
	// It is negative where bytes were lost; what is there already when a transfer resumes counts at once.
	Progress func(n int64)
}

// New returns a client of the service whose files have URLs under base.
func New(base, token string) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// HTTP/1.1 gives each transfer a connection of its own: they are faster, and fail alone.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	// The clone has HTTP/2 among what its handshakes offer.
	t.ForceAttemptHTTP2, t.TLSClientConfig = false, &tls.Config{NextProtos: []string{"http/1.1"}}
	t.DisableCompression = true // ranges count the file's bytes
	t.ResponseHeaderTimeout = 5 * time.Minute
	return &Client{Base: strings.TrimRight(base, "/"), Token: token, HTTP: &http.Client{Transport: t},
		GiveUpAfter: 10 * time.Minute, Backoff: 500 * time.Millisecond, MaxBackoff: 30 * time.Second,
		StallTimeout: time.Minute, Warn: func(error) {}, Progress: func(int64) {}}
}

func (c *Client) warn(err error) {
	if err != nil {
		c.Warn(err)
	}
}

// CheckURL returns an error for what is no URL that a file can be downloaded from.
func CheckURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is no http or https URL", s)
	}
	return nil
}

// trusts reports whether a URL is under Base. Only those get the token, so that a URL of another host can't collect it.
func (c *Client) trusts(url string) bool { return url == c.Base || strings.HasPrefix(url, c.Base+"/") }

// request makes a request.
func (c *Client) request(ctx context.Context, method, to string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return nil, err
	}
	if err := CheckURL(to); err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "holdfast")
	if c.Token != "" && c.trusts(to) {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return r, nil
}

// redirecting is HTTP, but takes the token away from requests that are redirected to URLs that are not under Base.
// net/http would send it on to other ports and subdomains of the host, and from https to http.
func (c *Client) redirecting() *http.Client {
	const most = 10 // as net/http has it
	h := *c.HTTP
	h.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if !c.trusts(next.URL.String()) {
			next.Header.Del("Authorization")
		}
		switch {
		case c.HTTP.CheckRedirect != nil:
			return c.HTTP.CheckRedirect(next, via)
		case len(via) >= most:
			return fmt.Errorf("stopped after %d redirects", most)
		}
		return nil
	}
	return &h
}

// do sends a request. An answer of 400 or above is an error: a *Refusal, or a temporaryError.
func (c *Client) do(r *http.Request) (*http.Response, error) {
	res, err := c.redirecting().Do(r)
	if err != nil {
		return nil, temporaryError{err: err}
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	defer res.Body.Close()
	stalled := time.AfterFunc(c.StallTimeout, func() { res.Body.Close() }) // the status is enough
	defer stalled.Stop()
	refusal := readRefusal(res)
	switch s := res.StatusCode; {
	case s >= 500, s == http.StatusConflict, s == http.StatusLocked, s == http.StatusTooManyRequests,
		s == http.StatusRequestTimeout:
		after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return nil, temporaryError{refusal, time.Duration(min(max(after, 0), 600)) * time.Second}
	}
	return nil, refusal
}

// readRefusal reads the error that a service answered with. If the body is not the service's, only the status counts.
func readRefusal(res *http.Response) *Refusal {
	refusal := &Refusal{Status: res.StatusCode, inJSON: strings.Contains(res.Header.Get("Content-Type"), "json")}
	var body struct {
		Code, Message, Detail string
		Details               struct{ Reason string }
	}
	const maxBody = 64 << 10
	if json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(&body) != nil {
		return refusal
	}
	refusal.Code, refusal.Message, refusal.Reason = body.Code, body.Message, body.Details.Reason
	if refusal.Message == "" {
		refusal.Message = body.Detail
	}
	return refusal
}
