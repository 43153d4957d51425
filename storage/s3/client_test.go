package s3

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage/storagetest"
)

// direct speaks to a server of this test's own.
func direct(t *testing.T) *Client {
	s := s3test.Start(t)
	c := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	t.Cleanup(c.Close)
	return c
}

func TestVersitygw(t *testing.T) {
	storagetest.Run(t, direct(t), storagetest.PlainKeys, storagetest.CompletesUnknown)
}

func random(t testing.TB, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, c *Client, at file.Location, offset, length int64) []byte {
	t.Helper()
	r, err := c.Open(t.Context(), at, "", offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStoreThatIsNotThere(t *testing.T) {
	c := New(Options{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "a", SecretKey: "s",
		limits: testLimits})
	defer c.Close()
	at := file.Location{Bucket: "b-1", Key: "k"}
	if err := c.Ping(t.Context(), "b-1"); !errors.Is(err, file.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := c.Put(t.Context(), at, "", bytes.NewReader(nil), 0); !errors.Is(err, file.ErrStorageWrite) {
		t.Error(err)
	}
	if _, err := c.Stat(t.Context(), at); !errors.Is(err, file.ErrStorageRead) {
		t.Error(err)
	}
}
