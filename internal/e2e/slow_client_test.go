package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
)

// get begins a download without reading it.
func (s *server) get(t *testing.T, file string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("GET", file, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

const cutByClient = `holdfast_download_aborted_total{by="client"}`

// A client that pauses gets the whole file, even if the time limit for the store would have passed. Here a client may
// take an hour, so the pauses are too long for the store alone, however busy the machine is.
func TestPausingClient(t *testing.T) {
	t.Parallel()
	const storeTime = 5 * time.Second
	s := start(t, append(objectStore(s3test.Start(t)), "DOWNLOAD_STORE_TIMEOUT="+storeTime.String(),
		"WRITE_TIMEOUT=1h")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(60_000_000)
	file, _ := s.upload(t, content)
	var clients sync.WaitGroup
	for header, want := range map[string][]byte{"": content, "bytes=1000-49999999": content[1000:50_000_000],
		"bytes=0-19999999,20000001-": nil} {
		var headers []string
		if header != "" {
			headers = []string{"Range", header}
		}
		res := s.get(t, file, headers...)
		clients.Go(func() {
			got := sized(res)
			if _, err := io.CopyN(got, res.Body, 5_000_000); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(storeTime + time.Second)
			_, err := got.ReadFrom(res.Body)
			if err != nil || want != nil && !bytes.Equal(got.Bytes(), want) ||
				want == nil && (!bytes.Contains(got.Bytes(), content[:20_000_000]) || !bytes.Contains(got.Bytes(),
					content[20_000_001:])) {
				t.Errorf("%q after a pause: %d bytes, %v", header, got.Len(), err)
			}
		})
	}
	clients.Wait()
	if n := s.metric(cutByClient); n != 0 {
		t.Errorf("%v clients were cut off that only paused", n)
	}
}

// A client that takes 128 KiB in WRITE_TIMEOUT, and far less than what the kernel could hold, gets the whole file.
func TestSlowestClient(t *testing.T) {
	t.Parallel()
	s := start(t, "WRITE_TIMEOUT=8s")
	content := random(8 * mebi)
	file, _ := s.upload(t, content)
	conn := s.dial(t, "")
	conn.SetDeadline(time.Now().Add(5 * patience))
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", strings.TrimPrefix(file,
		strings.TrimSuffix(s.base, "/files")), s.token)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := &bytes.Buffer{}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); { // 50 KB a second
		if _, err := io.CopyN(got, res.Body, 5_000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := got.ReadFrom(res.Body); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// A client that stops reading is cut off.
func TestClientThatStandsStill(t *testing.T) {
	t.Parallel()
	s := start(t, append(objectStore(s3test.Start(t)), "WRITE_TIMEOUT=1h")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	file, _ := s.upload(t, random(60_000_000)) // more than all buffers on the way hold
	s.stop()
	s.env = append(s.env, "WRITE_TIMEOUT=1s")
	s.restart()
	res := s.get(t, file)
	s.eventually("it is cut off", func() bool { return s.metric(cutByClient) == 1 })
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("%d bytes came, and no error", n)
	}
}
