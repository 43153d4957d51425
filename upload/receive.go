package upload

import (
	"context"
	"io"
	"time"

	"holdfast/file"
)

// dropTimeout is how long it may take to say in SQL that an upload is dropped.
const dropTimeout = 10 * time.Second

// Receive takes a file that comes whole in this one request, and makes a record of it. body
// ends with io.EOF where the file ends and nowhere else, and interrupt has a Read of it
// that waits for the client, and every later one, fail.
//
// c.Size is 0 where the length is known only at EOF; the size cap is enforced while reading. After an error
// nothing is left of the file, or will be after the next sweep: neither a row nor an object.
func (e *Engine) Receive(ctx context.Context, c Creation, body io.Reader, interrupt func()) (*file.Upload, error) {
	length := int64(-1)
	if c.Once, c.Deferred = true, c.Size == 0; !c.Deferred {
		length = c.Size
	}
	s, err := e.Create(ctx, c, interrupt)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	_, err = s.Append(0, Body{Reader: body, Last: true, Length: length, Interrupt: interrupt})
	if err == nil {
		err = s.Finish()
	}
	if err != nil {
		s.drop(ctx)
	}
	return s.u, err
}

// drop removes an upload that failed. If it became a file all the same, because the answer
// to its last commit was lost, that is removed too: its client hears that it failed. It
// goes on without the lease, which may have been lost.
func (s *Session) drop(ctx context.Context) {
	if s.u.State == file.Deleted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	err := s.do(func(context.Context) error { return s.engine.terminate(ctx, s.u) })
	if err != nil {
		s.engine.log.WarnContext(ctx, "the bytes of a failed form upload stay until the next sweep", "upload", s.u.ID,
			"error", err)
	}
}
