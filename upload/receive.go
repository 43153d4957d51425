package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
)

// dropTimeout limits the transaction that drops an upload.
const dropTimeout = 10 * time.Second

// Receive receives a file that comes whole in this one request, and records it. body must return io.EOF at the end of
// the file and nowhere else. interrupt makes a Read that waits for the client fail, and every later one.
//
// c.Size is 0 where the length is known only at EOF; the size cap is enforced while reading. After an error nothing is
// left of the file, neither a row nor an object, at the latest after the next sweep.
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
	if errors.Is(err, file.ErrLost) { // there is nothing to go on with: its client sends it again
		err = fmt.Errorf("%w: %s", file.ErrStorageRead, err.Error())
	}
	if err != nil {
		s.drop(ctx)
	}
	return s.u, err
}

// drop removes an upload that failed. If it became a file nevertheless, because the answer to its last commit was
// lost, the file is removed too: its client gets an error. drop works without the lease, which may be lost.
func (s *Session) drop(ctx context.Context) {
	if s.u.State == file.Deleted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	err := s.do(func(context.Context) error { return s.engine.terminate(ctx, s.u, nil) })
	if err != nil {
		s.engine.log.WarnContext(ctx, "the bytes of a failed upload stay until the next sweep", "upload", s.u.ID,
			"error", err)
	}
}
