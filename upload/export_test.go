package upload

import (
	"context"
	"io"

	"holdfast/file"
	"holdfast/upload/memory"
)

// Internals for tests.

const MaxTails = maxTails

var (
	Recovered   = recovered
	ErrCallOver = errCallOver
)

func (e *Engine) Budget() *memory.Budget { return e.memory }

func (e *Engine) Holder() string { return e.leases.holder }

// Leases returns how many leases this process holds, and whether it renews them.
func (e *Engine) Leases() (held int, renewing bool) {
	e.leases.mu.Lock()
	defer e.leases.mu.Unlock()
	return len(e.leases.held), e.leases.renewing
}

func (s *Session) Context() context.Context { return s.lease.ctx }

// ReadTails returns a reader of the tails of an upload, and of rest after them, as they are sent to the store; end
// ends the call that sends them.
func (e *Engine) ReadTails(u *file.Upload, rest memory.Buffer) (r io.ReadSeeker, again func() io.Reader,
	end func() error) {
	p := e.gather(u.Location.Bucket, u.Tails)
	p.add(rest)
	reader := e.reader(context.Background(), &p)
	last := reader
	return reader, func() io.Reader { last = e.reader(context.Background(), &p); return last },
		func() error { return last.end() }
}
