package disk

import (
	"bytes"
	"errors"
	"testing"

	"holdfast/file"
)

// asked is a room that records the requests for space.
type asked struct {
	n     []int64
	given int
	full  func() bool
}

func (a *asked) Take(n int64) (func(), error) {
	a.n = append(a.n, n)
	return func() { a.given++ }, a.Check()
}

func (a *asked) Check() error {
	if a.full() {
		return file.ErrNoSpace
	}
	return nil
}

// within returns a store whose disk has this room.
func within(t *testing.T, r room) *Store {
	s := opened(t, t.TempDir(), Options{NoFlush: true})
	s.room = r
	return s
}

// Every call that adds bytes first asks for space, for all of them; removals need none.
func TestRoom(t *testing.T) {
	full := false
	room := &asked{full: func() bool { return full }}
	c, ctx, at := within(t, room), t.Context(), file.Location{Bucket: "b", Key: "k"}
	etag := put(t, c, at, []byte("source"))
	full, room.n = true, nil
	body, id := bytes.NewReader(make([]byte, 5)), file.Multipart{ID: "id"}
	calls := map[string]error{}
	_, calls["put"] = c.Put(ctx, at, "", body, 5)
	_, calls["begin"] = c.BeginMultipart(ctx, at, "", false)
	_, calls["part"] = c.PutPart(ctx, at, id, 1, body, 5)
	_, calls["copy part"] = c.CopyPart(ctx, at, "", 0, 7, at, id, 1)
	calls["copy"] = c.Copy(ctx, at, etag, at, "")
	calls["complete"] = c.Complete(ctx, at, id, []file.Part{{Number: 1, Size: 5}, {Number: 2, Size: 7}})
	for name, err := range calls {
		if !errors.Is(err, file.ErrNoSpace) || errors.Is(err, file.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sum := int64(0)
	for _, n := range room.n {
		sum += n
	}
	if len(room.n) != len(calls) || sum != 5+5+7+6 {
		t.Errorf("asked for %v", room.n)
	}
}
