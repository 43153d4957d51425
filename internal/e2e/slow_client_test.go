package e2e

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"holdfast/internal/s3test"
)

// A client that pauses is waited for and gets all of it, also when the store's time would
// have been over; one that takes nothing any more is cut off.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s := start(t, append(objectStore(s3test.Start(t)), "DOWNLOAD_STORE_TIMEOUT=1s", "WRITE_TIMEOUT=5s")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(60_000_000)
	file, _ := s.upload(t, content)
	cut := `holdfast_download_aborted_total{by="client"}`
	get := func(headers string) *http.Response {
		r, err := http.NewRequest("GET", file, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token)
		if headers != "" {
			r.Header.Set("Range", headers)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}

	for header, want := range map[string][]byte{"": content, "bytes=1000-49999999": content[1000:50_000_000], "bytes=0-19999999,20000001-": nil} {
		res := get(header)
		got := sized(res)
		if _, err := io.CopyN(got, res.Body, 5_000_000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		_, err := got.ReadFrom(res.Body)
		if err != nil || want != nil && !bytes.Equal(got.Bytes(), want) ||
			want == nil && (!bytes.Contains(got.Bytes(), content[:20_000_000]) || !bytes.Contains(got.Bytes(), content[20_000_001:])) {
			t.Errorf("%q after a pause: %d bytes, %v", header, got.Len(), err)
		}
	}
	if n := s.metric(cut); n != 0 {
		t.Errorf("%v clients were cut off that only paused", n)
	}

	res := get("")
	s.eventually("a client that stands still is cut off", func() bool { return s.metric(cut) == 1 })
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("%d bytes came, and no error", n)
	}
}
