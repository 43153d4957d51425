package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/resumable"
)

// The handler of the IETF's protocol is simulated, too, without a connection: its requests and answers are values.

// newHandler returns the handler of the IETF's protocol for a process.
func (w *World) newHandler(p *proc) *resumable.Handler {
	return resumable.New(resumable.Options{
		Engine: p.engine, Respond: problem.Responder{Log: w.log}, ReadTimeout: readTimeout, MaxAge: uploadTTL,
		Identify: func(r *http.Request) (file.Identity, error) {
			who, _ := auth.FromContext(r.Context())
			return who, nil
		},
		Precondition: func(*http.Request, file.ID) error { return nil },
		Limit:        func(*http.Request, file.Identity) error { return nil },
		Interim:      func(*http.Request) int { return 90 },
		Base:         func(*http.Request) string { return "http://sim/files" },
	})
}

// answers are what a client gets for one request. It implements http.ResponseWriter, and what http.ResponseController
// asks for.
type answers struct {
	header  http.Header
	body    *body                       // of the request; nil: none
	interim func(*answers, http.Header) // called with each answer 104
	mu      sync.Mutex
	left    bool // the client takes no more answers
	status  int
	final   http.Header
	text    bytes.Buffer
}

func (a *answers) Header() http.Header { return a.header }

func (a *answers) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.left || a.status > 0:
	case status < 200:
		a.interim(a, a.header)
	default:
		a.status, a.final = status, a.header.Clone()
	}
}

func (a *answers) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.text.Write(b)
}

// SetReadDeadline interrupts the body. A deadline in the future does nothing: a body ends by itself after readTimeout.
func (a *answers) SetReadDeadline(t time.Time) error {
	if a.body != nil && !t.IsZero() && !t.After(time.Now()) {
		a.body.interrupt()
	}
	return nil
}

// SetWriteDeadline does nothing: no client is slow to read an answer.
func (*answers) SetWriteDeadline(time.Time) error { return nil }

// err returns the error that the status stands for.
func (a *answers) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for status, err := range map[int]error{404: file.ErrNotFound, 409: file.ErrConflict, 410: file.ErrGone,
		413: file.ErrQuota, 423: file.ErrLocked, 499: context.Canceled, 503: file.ErrUnavailable} {
		if a.status == status {
			return err
		}
	}
	if a.status/100 != 2 {
		return fmt.Errorf("status %d: %s", a.status, a.text.String())
	}
	return nil
}

// ask sends a request of the IETF's protocol, in interop version 8.
func (c *client) ask(engine int, method string, req request, b *body, header http.Header) (http.Header, error) {
	a := &answers{header: http.Header{}, body: b, interim: c.hearInterim}
	header.Set("Upload-Draft-Interop-Version", "8")
	err := c.do(engine, req, b, func(ctx context.Context, p *proc) error {
		r, err := http.NewRequestWithContext(ctx, method, "http://sim/"+string(c.id), http.NoBody)
		if err != nil {
			return err
		}
		r.Header = header
		if b != nil && b.pos < b.end {
			r.Body, r.ContentLength = io.NopCloser(b), b.end-b.pos
		}
		p.handler.ServeHTTP(a, r)
		return a.err()
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = true
	c.judge(err, "the IETF's "+method)
	return a.final, err
}

// hearInterim keeps what a 104 says.
func (c *client) hearInterim(a *answers, h http.Header) {
	at, offset := h.Get("Location"), h.Get("Upload-Offset")
	switch n, err := strconv.ParseInt(offset, 10, 64); {
	case at != "" && offset == "" && c.id == "":
		c.id, c.told = file.ID(path.Base(at)), time.Now()
	case at == "" && err == nil && n > c.at && n <= c.at+a.body.sent:
		c.w.saw("104 with an offset")
		at := c.at // the next request begins where the final answer, or HEAD, says
		c.hear(n, false)
		c.at = at
	default:
		c.w.failf("%s: 104 with %v, at %d", c.Name, h, c.at)
	}
}

// transfer sends everything from the offset that the client knows, as the end of the upload.
func (c *client) transfer(s Step) error {
	if s.Edit && c.at < c.Size {
		c.version++
	}
	c.requests++
	key := contentKey(c.Name, c.version)
	b := c.w.newBody(fmt.Sprint(c.Name, c.requests), key, c.at, c.Size-c.at, s)
	b.hard = true
	method, header := http.MethodPatch, http.Header{"Upload-Complete": {"?1"}}
	if c.id == "" {
		method = http.MethodPost
	} else {
		header.Set("Content-Type", "application/partial-upload")
		header.Set("Upload-Offset", strconv.FormatInt(c.at, 10))
	}
	answer, err := c.ask(s.Engine, method, request{name: c.Name, key: key}, b, header)
	if err == nil {
		c.checkFinal(answer)
	}
	return err
}

// checkFinal checks the answer of the target.
func (c *client) checkFinal(h http.Header) {
	if c.id == "" || path.Base(h.Get("Content-Location")) != string(c.id) || h.Get("Upload-Complete") != "?1" {
		c.w.failf("%s: the final answer has %v, the upload is %s", c.Name, h, c.id)
	}
	c.hear(c.Size, true)
}

// offset asks for the offset.
func (c *client) offset(engine int) error {
	h, err := c.ask(engine, http.MethodHead, request{name: c.Name}, nil, http.Header{})
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	if err != nil {
		c.w.failf("%s: HEAD tells no offset: %v", c.Name, h)
	}
	c.hear(n, h.Get("Upload-Complete") == "?1")
	return nil
}

// replay asks for the final answer again.
func (c *client) replay(engine int) {
	h, err := c.ask(engine, http.MethodPatch, request{name: c.Name}, nil, http.Header{"Upload-Complete": {"?1"},
		"Content-Type": {"application/partial-upload"}, "Upload-Offset": {strconv.FormatInt(c.Size, 10)}})
	if err == nil {
		c.w.saw("a final answer again")
		c.checkFinal(h)
	}
}

// overtake sends the rest to one engine, and while that runs asks another one for the offset, which ends it, and sends
// the rest there.
func (c *client) overtake(s Step) {
	s.Slow = max(s.Slow, 200*time.Millisecond)
	first := *c
	var both sync.WaitGroup
	both.Go(func() { _ = first.transfer(s) })
	time.Sleep(s.Slow)
	c.requests++
	if second := s; c.offset(s.Engine+1) == nil && !c.done {
		c.w.saw("a request that overtakes another")
		second.Engine, second.Cut, second.Edit = s.Engine+1, -1, true
		_ = c.transfer(second)
	}
	both.Wait()
	c.requests++
}

// resume asks for the offset, if there is an upload, and sends the rest.
func (c *client) resume(s Step) {
	if c.id != "" && (c.offset(s.Engine+1) != nil || c.done) {
		return
	}
	if err := c.transfer(s); errors.Is(err, errLeft) && c.id != "" {
		_ = c.offset(s.Engine + 2)
	}
}

// session follows the plan as Apple's URLSession does: the whole file in one request that says so; when the connection
// is lost it asks for the offset, and sends the rest in one request again.
func (c *client) session() {
	for _, s := range c.Steps {
		if time.Sleep(s.Pause); c.over || c.ended {
			return
		}
		switch {
		case c.id == "" || !c.done && s.Kind == Send:
			c.resume(s)
		case s.Kind == Delete:
			c.uncertain = true
			if _, err := c.ask(s.Engine, http.MethodDelete, request{name: c.Name}, nil, http.Header{}); err == nil {
				c.ended = true
			}
		case c.done:
			c.replay(s.Engine)
		case s.Kind == Head:
			_ = c.offset(s.Engine)
		default: // there are no checksums to be sent
			c.overtake(s)
		}
	}
	if c.Insists {
		c.insist(tries)
	}
}
