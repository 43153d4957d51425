// Package client sends files to a Holdfast and fetches them again, over lines that break:
// it is what `holdfast upload` and `holdfast download` do.
//
// An upload speaks tus 1.0.0 and goes on where it was, after a cut line and after the end of
// the process. A download goes on by ranges (RFC 9110, 14) under the ETag of what it has.
// Both end with the SHA-256 of the whole file compared with the service's word
// (Repr-Digest, RFC 9530).
//
// # Errors
//
// *Refusal is the service's "no", which it would say again. ErrLine is a line or a service
// that stayed away for longer than the client tries. ErrDigest is a file that is not what it
// should be.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrUnreachable says that it was tried for long enough. What came is kept: try again later.
	ErrUnreachable = errors.New("the service can't be reached")
	// ErrDigest says that the bytes that were stored or came are not the file's.
	ErrDigest = errors.New("the SHA-256 does not agree")
	// ErrChanged says that a file was changed while it was sent.
	ErrChanged = errors.New("the file was changed while it was sent")
	// ErrExists says that a download would overwrite a file.
	ErrExists = errors.New("there is such a file already")
)

// Refusal is an answer that another try would not change.
type Refusal struct {
	Status  int // HTTP
	Code    string
	Message string
	Reason  string
}

func (r *Refusal) Error() string {
	text := r.Message
	if text == "" {
		text = strings.ToLower(http.StatusText(r.Status))
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return fmt.Sprintf("%s (%d %s)", text, r.Status, r.Code)
}

// Client speaks to one service. New makes one; the fields may be changed before its use.
type Client struct {
	// Base is the URL under which the service's files are seen, without a trailing slash.
	Base string
	// Token is sent along, but to other services; empty: none.
	Token string
	HTTP  *http.Client
	// GiveUpAfter is how long it is tried in vain before a transfer fails; a byte that comes
	// through begins that time again.
	GiveUpAfter time.Duration
	// Backoff is the time before the second try; it doubles, up to MaxBackoff.
	Backoff, MaxBackoff time.Duration
	// StallTimeout is how long nothing may move before a connection is given up.
	StallTimeout time.Duration
	// URLs are those that were begun and not ended; nil: none are remembered.
	URLs *URLStore
	// Progress is told how many more bytes are where they should be; it may be negative, when
	// bytes were lost on the way.
	Progress func(n int64)
}

// New returns a client of the service whose files are seen under base.
func New(base, token string) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// HTTP/1.1: each transfer has a connection of its own, to be fast and to fail alone.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.DisableCompression = true // a range is one of the file's bytes
	t.ResponseHeaderTimeout = 5 * time.Minute
	return &Client{Base: strings.TrimRight(base, "/"), Token: token, HTTP: &http.Client{Transport: t},
		GiveUpAfter: 10 * time.Minute, Backoff: 500 * time.Millisecond, MaxBackoff: 30 * time.Second, StallTimeout: time.Minute, Progress: func(int64) {}}
}

// request makes a request. The token goes to our own service alone, so that a link that
// leads elsewhere can't fetch it.
func (c *Client) request(ctx context.Context, method, url string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" || r.URL.Host == "" {
		return nil, fmt.Errorf("%q is no http or https URL", url)
	}
	r.Header.Set("User-Agent", "holdfast")
	if c.Token != "" && (url == c.Base || strings.HasPrefix(url, c.Base+"/")) {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	return r, nil
}

// do sends a request. An answer of 400 and more is an error: a *Refusal, or one that may
// pass.
func (c *Client) do(r *http.Request) (*http.Response, error) {
	res, err := c.HTTP.Do(r)
	if err != nil {
		return nil, temporaryError{err: err}
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	defer res.Body.Close()
	no := &Refusal{Status: res.StatusCode}
	var said struct {
		Code, Message, Detail string
		Details               struct{ Reason string }
	}
	const longest = 64 << 10
	if json.NewDecoder(io.LimitReader(res.Body, longest)).Decode(&said) == nil {
		no.Code, no.Message, no.Reason = said.Code, said.Message, said.Details.Reason
		if no.Message == "" {
			no.Message = said.Detail
		}
	}
	switch s := res.StatusCode; {
	case s >= 500, s == http.StatusConflict, s == http.StatusLocked, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout:
		after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return nil, temporaryError{no, time.Duration(min(max(after, 0), 600)) * time.Second}
	}
	return nil, no
}

// temporaryError is an error that another try may not meet.
type temporaryError struct {
	err   error
	after time.Duration // at least
}

func (p temporaryError) Error() string { return p.err.Error() }
func (p temporaryError) Unwrap() error { return p.err }

// retry calls step until it says that all is done, and tries again what may pass. moved
// says whether a step got on.
func (c *Client) retry(ctx context.Context, step func() (done, moved bool, err error)) error {
	since, pause := time.Now(), c.Backoff
	for {
		done, moved, err := step()
		if moved {
			since, pause = time.Now(), c.Backoff
		}
		var p temporaryError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && done:
			return nil
		case err == nil:
			continue
		case !errors.As(err, &p):
			return err
		}
		// Spread out: many clients may have lost the same service at the same moment.
		wait := max(p.after, pause/2+rand.N(pause))
		if vain := time.Since(since); vain+wait > c.GiveUpAfter {
			return fmt.Errorf("%w for %s: %w", ErrUnreachable, vain.Round(time.Second), p.err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, c.MaxBackoff)
	}
}
