package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sender "holdfast/client" // beside the tests' own client
	"holdfast/internal/test/proxytest"
	"holdfast/internal/test/testproc"
)

// Two replicas behind nginx are restarted one after the other, twice each, while clients upload and download. No
// transfer fails, each replica ends without an error, and clients only notice that a request has to be repeated now
// and then.
func TestRollingRestart(t *testing.T) {
	const restarts = 4
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf("http://127.0.0.1:%d/files", port)
	// Shorter than the longest download, so that some end in time and some are cut off.
	p := startPair(t, "PUBLIC_URL="+public, "DRAIN_TIMEOUT=1s")
	proxytest.Nginx(t, port, p.a.port, p.b.port)
	front := &server{t: t, base: public, token: p.a.token}
	files := &filed{sums: map[string]string{}}
	traffic, stop := startTraffic(t, front, files)
	for i := range restarts {
		// In the middle of everybody's transfers, however fast this machine is.
		for _, c := range traffic {
			begin := c.moved.Load()
			front.eventually("every client gets on", func() bool { return t.Failed() || c.moved.Load() > begin+mebi })
		}
		replica := []*server{p.a, p.b}[i%2]
		replica.process.Signal(syscall.SIGTERM)
		replica.ended(t)
		replica.restart()
	}
	stop()
	unknown := front.keeps(t, files.sums)
	again, most := 0, 0
	for _, c := range traffic {
		again += c.again
		most = max(most, c.most)
	}
	t.Logf("%d files were sent, %d that no client knows; %d requests had to be made again, of one transfer at most %d",
		len(files.sums), unknown, again, most)
	if again == 0 {
		t.Error("no request was interrupted: the clients did too little")
	}
	// One for each restart during the transfer, and one for an answer that was lost as a replica ended.
	if most > restarts+1 || unknown > 0 {
		t.Errorf("a transfer needed %d requests more than it should have; %d files were sent twice", most, unknown)
	}
	p.settles(t)
	p.matches(t)
}

// startTraffic starts four clients that send files, and two that fetch one. stop waits until all have finished
// their transfers.
func startTraffic(t *testing.T, front *server, files *filed) (traffic []*traveller, stop func()) {
	t.Helper()
	const senders, fetchers = 4, 2
	var over atomic.Bool
	var all sync.WaitGroup
	content := random(24 * mebi)
	first, _ := front.upload(t, content)
	files.add(first, digest(content))
	for i := range senders + fetchers {
		c := newTraveller(t, front, uint64(i))
		traffic = append(traffic, c)
		all.Go(func() {
			for !over.Load() && !t.Failed() {
				if i < senders {
					c.sends(files)
				} else {
					c.fetches(first, digest(content))
				}
			}
		})
	}
	return traffic, func() {
		over.Store(true)
		all.Wait()
	}
}

// filed are the uploaded files: their SHA-256, by URL.
type filed struct {
	mu   sync.Mutex
	sums map[string]string
}

func (f *filed) add(url, sum string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sums[url] = sum
}

// traveller is one client, on a line that is slow enough for a transfer to be interrupted. It reports errors to t.
type traveller struct {
	*sender.Client
	t     *testing.T
	dir   string
	rand  *rand.Rand
	moved atomic.Int64 // bytes in its transfers
	now   int          // requests that failed in this transfer
	again int          // in all
	most  int          // in one transfer
}

func newTraveller(t *testing.T, front *server, seed uint64) *traveller {
	c := &traveller{Client: sender.New(front.base, front.token), t: t, dir: testproc.TempFolder(t, "holdfast-traveller"),
		rand: rand.New(rand.NewPCG(seed, 0))}
	transport := c.HTTP.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return slowConn{conn}, err
	}
	c.HTTP.Transport = counting{transport, c}
	c.GiveUpAfter, c.Backoff, c.MaxBackoff = patience, 50*time.Millisecond, time.Second
	c.Progress = func(n int64) { c.moved.Add(max(n, 0)) }
	return c
}

// slowConn carries about 10 MB a second in each direction.
type slowConn struct{ net.Conn }

const piece, pause = 64 << 10, 6 * time.Millisecond

func (c slowConn) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		time.Sleep(pause)
		var m int
		m, err = c.Conn.Write(b[n:min(n+piece, len(b))])
		n += m
	}
	return n, err
}

func (c slowConn) Read(b []byte) (int, error) {
	time.Sleep(pause)
	return c.Conn.Read(b[:min(piece, len(b))])
}

// counting counts the requests that failed.
type counting struct {
	http.RoundTripper
	c *traveller
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.RoundTripper.RoundTrip(r)
	switch {
	case err != nil:
		c.c.now++
		c.c.t.Logf("%s: %v", r.Method, err)
	case res.StatusCode >= 400:
		c.c.now++
		c.c.t.Logf("%s: %s, server %s, offset %q", r.Method, res.Status, res.Header.Get("Server"),
			res.Header.Get("Upload-Offset"))
	}
	return res, err
}

func (c *traveller) counted() {
	c.again, c.most, c.now = c.again+c.now, max(c.most, c.now), 0
}

func (c *traveller) sends(to *filed) {
	content := random(1 + c.rand.IntN(24*mebi))
	path := filepath.Join(c.dir, "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		c.t.Error(err)
		return
	}
	url, err := c.Upload(context.Background(), path)
	if err != nil {
		c.t.Error(err)
		return
	}
	to.add(url, digest(content))
	c.counted()
}

func (c *traveller) fetches(url, sum string) {
	path, err := c.Download(context.Background(), url, sender.Target{Path: filepath.Join(c.dir, "fetched"),
		Overwrite: true})
	if err != nil {
		c.t.Error(err)
		return
	}
	b, err := os.ReadFile(path)
	if err != nil || digest(b) != sum {
		c.t.Errorf("%s: %d bytes, or others: %v", strings.TrimPrefix(url, c.Base), len(b), err)
	}
	c.counted()
}
