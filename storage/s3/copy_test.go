package s3

import (
	"errors"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

func TestNoCopy(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	at := file.Location{Bucket: "copy-1", Key: "k"}
	c := p.client(t, s)
	for _, answer := range []struct {
		status int
		code   string
	}{{501, "NotImplemented"}, {501, ""}, {405, "MethodNotAllowed"}, {400, "NotImplemented"}} {
		p.harm("PUT", "", 100, answers(answer.status, answer.code))
		if _, err := c.CopyPart(t.Context(), at, "", 0, storage.MinCopy, at, "u", 1); !errors.Is(err, storage.ErrNoCopy) || !errors.Is(err, file.ErrUnavailable) || len(p.requests()) != 1 {
			t.Errorf("%d %s: %v after %d tries", answer.status, answer.code, err, len(p.requests()))
		}
	}
}
