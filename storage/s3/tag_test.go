package s3

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// An object is opened only under the recorded ETag, by both ways of reading.
func TestOpenUnderAnotherTag(t *testing.T) {
	own, at := direct(t), storage.Layout{BucketPrefix: "tags"}.Object(1, file.NewID())
	tag, err := own.Put(t.Context(), at, "text/plain", bytes.NewReader([]byte("abc")), 3)
	if err != nil {
		t.Fatal(err)
	}
	// Without a reader of its own, as for AWS and over TLS: the SDK reads.
	sdk := &Client{s3: own.s3, limits: own.limits, Calls: own.Calls, soon: own.soon}
	for name, open := range map[string]func(tag string) (io.ReadCloser, error){
		"own reader":   func(tag string) (io.ReadCloser, error) { return own.Read(t.Context(), at, tag, 0, 3) },
		"SDK's reader": func(tag string) (io.ReadCloser, error) { return sdk.Read(t.Context(), at, tag, 0, 3) },
		"Open":         func(tag string) (io.ReadCloser, error) { return own.Open(t.Context(), at, tag, 0, 3) },
	} {
		body, err := open(tag)
		if err != nil {
			t.Fatalf("%s, the recorded tag: %v", name, err)
		}
		body.Close()
		if _, err := open(`"0123456789abcdef0123456789abcdef"`); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s, another tag: %v, want %v", name, err, file.ErrObjectChanged)
		}
	}
}
