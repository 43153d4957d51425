package storage

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"holdfast/file"
)

// An object is opened only under the tag that was recorded, by either way to read.
func TestOpenUnderAnotherTag(t *testing.T) {
	c, at := shared.Client, Layout{BucketPrefix: "tags"}.Object(1, file.NewID())
	tag, err := c.Put(t.Context(), at, "text/plain", bytes.NewReader([]byte("abc")), 3)
	if err != nil {
		t.Fatal(err)
	}
	sdk := *c
	sdk.reader = nil // as for AWS and over TLS
	for name, c := range map[string]*Client{"own reader": c, "SDK": &sdk} {
		for _, length := range []int64{3, 0} {
			if length == 0 && name == "own reader" {
				continue // asks the SDK's way
			}
			for way, open := range map[string]func(tag string) (io.ReadCloser, error){
				"Read": func(tag string) (io.ReadCloser, error) { return c.Read(t.Context(), at, tag, 0, length) },
				"Open": func(tag string) (io.ReadCloser, error) { return c.Open(t.Context(), at, tag, 0, length) },
			} {
				body, err := open(tag)
				if err != nil {
					t.Fatalf("%s, %s, the recorded tag: %v", name, way, err)
				}
				body.Close()
				if length == 0 {
					continue
				}
				if body, err := open(`"0123456789abcdef0123456789abcdef"`); !errors.Is(err, file.ErrObjectChanged) {
					t.Errorf("%s, %s, another tag: %v %v, want %v", name, way, body, err, file.ErrObjectChanged)
				}
			}
		}
	}
}
