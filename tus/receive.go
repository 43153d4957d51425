package tus

import (
	"context"
	"io"
	"time"

	"holdfast/file"
	"holdfast/hooks"
)

// dropTimeout is how long it may take to say in SQL that an upload is dropped.
const dropTimeout = 10 * time.Second

// Receive takes a file that comes whole, in this one request, and makes a record of it.
// create is PreCreate; body ends with io.EOF where the file ends and nowhere else, and
// interrupt has a Read of it that waits for the client, and every later one, fail.
//
// How long the file is shows at its end, and the cap is looked at all the way there. After an error nothing is left of it, or will be after the next
// sweep: neither a row nor an object.
func (e *Engine) Receive(ctx context.Context, create func(context.Context, hooks.Creation) (file.Upload, error), c hooks.Creation,
	body io.Reader, interrupt func()) (*file.Upload, error) {
	c.Once, c.Size, c.Deferred = true, 0, true
	c.Holder, c.Lease = e.leases.holder, e.leases.ttl
	since := time.Now()
	u, err := create(ctx, c)
	if err != nil {
		return nil, err
	}
	l := e.leases.hold(ctx, &lease{id: u.ID, epoch: u.Epoch, since: since, letGo: interrupt, whole: true})
	defer l.give()
	_, err = e.append(l.ctx, &u, source{
		Reader: body, all: true,
		exceeded:  func() bool { return false }, // no length is declared that it could exceed
		interrupt: interrupt,
		cut:       func() bool { return false }, // only the file's end ends the body without an error
	})
	if err == nil {
		err = e.finish(l.ctx, &u)
	}
	if err != nil {
		e.drop(ctx, &u)
	}
	l.over.Store(!u.Held)
	return &u, err
}

// drop removes an upload that failed. If it became a file all the same, because the answer
// to its last commit was lost, that is removed too: its client hears that it failed.
func (e *Engine) drop(ctx context.Context, u *file.Upload) {
	if u.State == file.Deleted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	if err := e.terminate(ctx, u); err != nil {
		e.log.WarnContext(ctx, "what came of a file stays until it is swept", "upload", u.ID, "error", err)
	}
}
