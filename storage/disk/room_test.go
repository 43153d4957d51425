package disk

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage/s3"
)

// asked is room that notes what it is asked for.
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

// nowhere is a store on a disk with this room whose gateway is not there.
func nowhere(t *testing.T, r room) *Store {
	return &Store{Client: s3.New(s3.Options{Endpoint: "http://127.0.0.1:1"}), room: r, holding: holding{t.TempDir(),
		time.Minute}}
}

// Every call that adds bytes asks for room first, for all of them; what removes something needs none.
func TestRoom(t *testing.T) {
	room := &asked{full: func() bool { return true }}
	c, ctx, at := nowhere(t, room), t.Context(), file.Location{Bucket: "b", Key: "k"}
	body, id := bytes.NewReader(make([]byte, 5)), file.Multipart{ID: "id"}
	calls := map[string]error{}
	_, calls["put"] = c.Put(ctx, at, "", body, 5)
	_, calls["begin"] = c.BeginMultipart(ctx, at, "", false)
	_, calls["part"] = c.PutPart(ctx, at, id, 1, body, 5)
	_, calls["copy part"] = c.CopyPart(ctx, at, "", 0, 7, at, id, 1)
	calls["copy"] = c.Copy(ctx, at, "", at, "")
	calls["complete"] = c.Complete(ctx, at, id, []file.Part{{Number: 1, Size: 5}, {Number: 2, Size: 7}})
	for name, err := range calls {
		if !errors.Is(err, file.ErrNoSpace) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sum := int64(0)
	for _, n := range room.n {
		sum += n
	}
	if len(room.n) != len(calls) || sum != 5+5+7+5+7 {
		t.Errorf("asked for %v", room.n)
	}
}

// A store that fails on a full disk fails for want of space, whatever it says; its room is given back.
func TestFullDiskByAnotherName(t *testing.T) {
	room := &asked{}
	calls := 0
	room.full = func() bool { calls++; return calls > 1 }        // it fills up meanwhile
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // or the client would try again
	defer cancel()
	_, err := nowhere(t, room).PutPart(ctx, file.Location{Bucket: "b", Key: "k"}, file.Multipart{ID: "id"}, 1,
		bytes.NewReader(nil), 0)
	if !errors.Is(err, file.ErrNoSpace) || errors.Is(err, file.ErrUnavailable) || room.given != 1 {
		t.Errorf("%v, room was given back %d times", err, room.given)
	}
}
