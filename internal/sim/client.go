package sim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/upload"
)

// client plays a Client, and keeps what the server has answered.
type client struct {
	Client
	w         *World
	partial   bool
	id        file.ID // empty: it has created no upload yet, or did not get the answer
	at        int64   // the offset in the last answer
	acked     int64   // the highest offset in any answer
	version   int     // of the bytes
	requests  int
	told      time.Time // when an answer last said that bytes had arrived
	done      bool      // an answer said that the upload is finished
	ended     bool      // an answer said that it is deleted
	uncertain bool      // it has asked for its deletion or concatenation
	over      bool      // an answer said that it can't continue
	tickets   []ticket  // URLs of parts
}

var (
	errLeft = errors.New("the client has left")
	errDown = errors.New("no server answers")
)

// do makes a request, and returns the error that the client sees.
func (c *client) do(engine int, req request, b *body, serve func(context.Context, *proc) error) error {
	p := c.w.proc(engine)
	if p == nil {
		time.Sleep(time.Second)
		return errDown
	}
	left, cold := make(<-chan struct{}), p.cold
	if p.frozen() { // a process is frozen only once
		cold = nil
	}
	if b != nil {
		b.died, left = p.ctx.Done(), b.left
	}
	ctx, cancel := p.join(auth.NewContext(context.WithValue(context.Background(), requestKey{}, &req), c.who()))
	answer := make(chan error, 1)
	began := time.Now()
	go func() {
		defer cancel()
		err := serve(ctx, p)
		if b != nil && b.over.Load() > 0 {
			began = c.w.start.Add(time.Duration(b.over.Load()))
		}
		if d := time.Since(began); d > answered && !p.dead() && !p.frozen() {
			c.w.failf("%s: a request took %s after its body had come", c.Name, d)
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		if p.dead() {
			return errDied
		}
		return err
	case <-left:
		if !b.step.Hangs {
			cancel()
		}
		return errLeft
	case <-cold:
		if pause(p.ctx, 3*time.Second) { // then the client gives up
			return errLeft
		}
		return errDied
	case <-p.ctx.Done():
		return errDied
	}
}

func (c *client) who() file.Identity {
	return file.Identity{Kind: file.KindUser, UserID: c.Account, AccountID: c.Account}
}

// begin creates the upload.
func (c *client) begin(engine int) error {
	var id file.ID
	err := c.do(engine, request{name: c.Name}, nil, func(ctx context.Context, p *proc) error {
		size := c.Size
		if c.Later {
			size = 0
		}
		creation := upload.Creation{Size: size, Deferred: c.Later, Partial: c.partial, Claim: c.claim()}
		if size > 0 || c.Later {
			u, err := p.engine.Begin(ctx, creation)
			if err == nil {
				id = u.ID
			}
			return err
		}
		s, err := p.engine.Create(ctx, creation, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		id = s.Upload().ID
		return s.Finish()
	})
	if c.judge(err, "create"); err != nil {
		return err
	}
	c.id, c.told, c.done = id, time.Now(), c.Size == 0 && !c.Later
	return nil
}

// claim returns the SHA-256 of the file, if the client declares it.
func (c *client) claim() []byte {
	if !c.Claim {
		return nil
	}
	for _, s := range c.Steps {
		if s.Edit || s.Kind == Twice {
			return nil
		}
	}
	b := make([]byte, c.Size)
	fill(b, contentKey(c.Name, 0), 0)
	sum := sha256.Sum256(b)
	return sum[:]
}

// take takes the lease like a request for an existing upload.
func (c *client) take(ctx context.Context, p *proc, requestRelease func()) (*upload.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, upload.TakeTimeout)
	defer cancel()
	x := &waiter{id: c.id, p: p}
	c.w.wait(x, true)
	defer c.w.wait(x, false)
	s, err := p.engine.Take(ctx, c.id, requestRelease)
	if err == nil && s.Upload().Gone() {
		s.Close()
		return nil, file.ErrGone
	}
	return s, err
}

// row reads the upload like a request before it does anything else.
func (c *client) row(ctx context.Context, p *proc) (*file.Upload, error) {
	u, err := p.engine.Row(ctx, c.id)
	switch {
	case err != nil:
		return nil, err
	case u.State == file.Deleted:
		return nil, file.NotFound(c.id)
	case u.Gone():
		return nil, file.ErrGone
	}
	return u, nil
}

// head asks for the offset.
func (c *client) head(engine int) error {
	var u file.Upload
	err := c.do(engine, request{name: c.Name}, nil, func(ctx context.Context, p *proc) error {
		row, err := c.row(ctx, p)
		if err != nil {
			return err
		}
		if u = *row; u.Done() || !u.Held && !u.Complete() {
			return nil
		}
		s, err := c.take(ctx, p, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		if s.Upload().Complete() {
			err = s.Finish()
		}
		u = *s.Upload()
		return err
	})
	if c.judge(err, "HEAD"); err == nil {
		c.hear(u.Offset, u.Done())
	}
	return err
}

// hear keeps what an answer says.
func (c *client) hear(offset int64, done bool) {
	switch {
	case offset < c.acked:
		c.w.failf("%s: it was told the offset %d, and now %d", c.Name, c.acked, offset)
	case offset > c.Size:
		c.w.failf("%s: it was told the offset %d, and has only %d bytes", c.Name, offset, c.Size)
	case c.ended:
		c.w.failf("%s: it was told that the upload is deleted, and now that it is at %d", c.Name, offset)
	case c.done && !done:
		c.w.failf("%s: it was told that the upload is finished, and now that it is not", c.Name)
	case done && !c.partial && !c.uncertain:
		c.w.checkFile(c.id, "when its client is told so")
	}
	c.at, c.acked, c.done, c.told = offset, offset, c.done || done, time.Now()
}

// judge fails if the server had no reason for an error, and ends the client after a refusal.
func (c *client) judge(err error, what string) {
	switch {
	case err == nil, errors.Is(err, errDied), errors.Is(err, errLeft), errors.Is(err, errDown),
		errors.Is(err, file.ErrUnavailable), errors.Is(err, file.ErrLocked), errors.Is(err, file.ErrConflict),
		errors.Is(err, file.ErrChecksum), errors.Is(err, context.Canceled):
	case errors.Is(err, file.ErrQuota) && c.w.plan.Quota > 0:
		c.over = true
	case errors.Is(err, file.ErrGone), errors.Is(err, file.ErrNotFound):
		expired := time.Since(c.told) > uploadTTL-30*time.Second
		if !c.ended && !c.uncertain && !expired {
			c.w.failf("%s: %s is answered with %v, at %d, finished %t", c.Name, what, err, c.acked, c.done)
		}
		c.over = true
	default:
		c.w.failf("%s: %s is answered with %v", c.Name, what, err)
		c.over = true
	}
}

// send sends bytes from the offset that the client knows.
func (c *client) send(s Step) error {
	size := min(s.Bytes, c.Size-c.at)
	if s.Edit && size > 0 {
		c.version++
	}
	return c.sendVersion(s, c.version, size)
}

func (c *client) sendVersion(s Step, version int, size int64) error {
	c.requests++
	key := contentKey(c.Name, version)
	req := request{name: c.Name, key: key, wrong: s.Kind == SendWrong && size > 0}
	var sum upload.Check
	if s.Kind == SendSum || s.Kind == SendWrong {
		sum = newCheck(key, c.at, size)
	}
	if req.wrong {
		req.key = contentKey(c.Name+" wrong", version)
	}
	b := c.w.newBody(fmt.Sprint(c.Name, c.requests), req.key, c.at, size, s)
	var u file.Upload
	at := c.at
	err := c.do(s.Engine, req, b, func(ctx context.Context, p *proc) (err error) {
		u, err = c.patch(ctx, p, at, b, sum)
		return err
	})
	c.judge(err, string(s.Kind))
	switch {
	case errors.Is(err, file.ErrChecksum) && !req.wrong, err == nil && req.wrong && b.sent == size:
		c.w.failf("%s: a body whose checksum was wrong, %t, is answered with %v", c.Name, req.wrong, err)
	case err == nil:
		c.hear(u.Offset, u.Done())
	}
	return err
}

// patch does what the server does for a PATCH.
func (c *client) patch(ctx context.Context, p *proc, at int64, b *body, sum upload.Check) (file.Upload, error) {
	row, err := c.row(ctx, p)
	if err != nil || row.Done() {
		return file.Upload{State: file.Recorded, Offset: c.Size}, err
	}
	s, err := c.take(ctx, p, b.interrupt)
	if err != nil {
		return file.Upload{}, err
	}
	defer s.Close()
	u := s.Upload()
	if !u.Done() && u.Complete() {
		err := s.Finish()
		return *u, err
	}
	if u.Offset != at {
		return *u, file.ErrConflict
	}
	if b.end == c.Size && u.Deferred {
		if err := s.Declare(c.Size); err != nil {
			return *u, err
		}
	}
	if _, err := s.Append(at, b.upload(sum)); err != nil {
		return *u, err
	}
	if u.Complete() && !u.Done() {
		err = s.Finish()
	}
	return *u, err
}

// twice sends the same range to two engines, the second time with an edit: the client believes that the first request
// has ended.
func (c *client) twice(s Step) {
	size := min(s.Bytes, c.Size-c.at)
	first := *c
	var both sync.WaitGroup
	both.Go(func() { _ = first.sendVersion(s, first.version, size) })
	time.Sleep(s.Slow)
	c.version, c.requests = c.version+1, c.requests+1
	second := s
	second.Engine, second.Cut = s.Engine+1, -1
	_ = c.sendVersion(second, c.version, size)
	both.Wait()
	c.requests++
}

// remove deletes the upload, or the file that it became.
func (c *client) remove(engine int) {
	c.uncertain = true
	err := c.do(engine, request{name: c.Name}, nil, func(ctx context.Context, p *proc) error {
		if _, err := c.row(ctx, p); err != nil {
			return err
		}
		s, err := c.take(ctx, p, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Terminate()
	})
	if c.judge(err, "DELETE"); err == nil {
		c.ended = true
	}
}
