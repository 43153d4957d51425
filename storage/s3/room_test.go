package s3

import (
	"bytes"
	"errors"
	"testing"

	"holdfast/file"
)

// Every call that adds bytes asks for room first, for all of them, and gives it back; what removes
// something needs none.
func TestRoom(t *testing.T) {
	c, ctx, at := New(Options{Endpoint: "http://127.0.0.1:1"}), t.Context(), file.Location{Bucket: "b", Key: "k"}
	var asked []int64
	c.Reserve(func(n int64) (func(), error) { asked = append(asked, n); return nil, file.ErrNoSpace })
	body := bytes.NewReader(make([]byte, 5))
	calls := map[string]error{}
	_, calls["put"] = c.Put(ctx, at, "", body, 5)
	_, calls["begin"] = c.BeginMultipart(ctx, at, "", false)
	_, calls["part"] = c.PutPart(ctx, at, "id", 1, body, 5)
	_, calls["copy part"] = c.CopyPart(ctx, at, "", 0, 7, at, "id", 1)
	calls["copy"] = c.Copy(ctx, at, "", at, "")
	calls["complete"] = c.Complete(ctx, at, "id", []file.Part{{Number: 1, Size: 5}, {Number: 2, Size: 7}})
	for name, err := range calls {
		if !errors.Is(err, file.ErrNoSpace) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sum := int64(0)
	for _, n := range asked {
		sum += n
	}
	if len(asked) != len(calls) || sum != 5+5+7+5+7 {
		t.Errorf("asked for %v", asked)
	}
}

// A store that fails on a full disk fails for want of space, whatever it says.
func TestFullDiskByAnotherName(t *testing.T) {
	c := New(Options{Endpoint: "http://127.0.0.1:1", limits: shortLimits})
	full, given := false, 0
	c.Reserve(func(int64) (func(), error) {
		if full {
			return nil, file.ErrNoSpace
		}
		full = true
		return func() { given++ }, nil
	})
	_, err := c.PutPart(t.Context(), file.Location{Bucket: "b", Key: "k"}, "id", 1, bytes.NewReader(nil), 0)
	if !errors.Is(err, file.ErrNoSpace) || errors.Is(err, file.ErrUnavailable) || given != 1 {
		t.Errorf("%v, room was given back %d times", err, given)
	}
}
