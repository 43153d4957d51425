package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"holdfast/internal/pgtest"
	"holdfast/internal/s3test"
	"holdfast/internal/testproc"
)

// fault is what goes wrong for a while on the line between the program and what it stands on.
type fault struct {
	name  string
	toxic string // in both directions; none: the line is cut
	lasts time.Duration
}

// storeFaults are for the line to the object store.
var storeFaults = []fault{
	{"latency", `"type": "latency", "attributes": {"latency": 400, "jitter": 300}`, 6 * time.Second},
	{"bandwidth", `"type": "bandwidth", "attributes": {"rate": 300}`, 6 * time.Second}, // KB/s
	{"reset", `"type": "reset_peer", "attributes": {"timeout": 50}`, 6 * time.Second},
	{"slow close", `"type": "slow_close", "attributes": {"delay": 3000}`, 6 * time.Second},
	{"slices", `"type": "slicer", "attributes": {"average_size": 4000, "size_variation": 2000, "delay": 500}`, 6 * time.Second},
	{"silence", `"type": "timeout", "attributes": {"timeout": 0}`, 6 * time.Second}, // swallows all
	{"cut", "", 10 * time.Second},
}

// databaseFaults are for the line to PostgreSQL, where messages are small and many.
var databaseFaults = []fault{
	{"latency", `"type": "latency", "attributes": {"latency": 150, "jitter": 100}`, 6 * time.Second},
	{"bandwidth", `"type": "bandwidth", "attributes": {"rate": 4}`, 6 * time.Second},
	{"reset", `"type": "reset_peer", "attributes": {"timeout": 50}`, 6 * time.Second},
	{"slow close", `"type": "slow_close", "attributes": {"delay": 3000}`, 6 * time.Second},
	{"slices", `"type": "slicer", "attributes": {"average_size": 20, "size_variation": 10, "delay": 500}`, 6 * time.Second},
	{"silence", `"type": "timeout", "attributes": {"timeout": 0}`, 6 * time.Second},
	{"cut", "", 10 * time.Second},
}

// wire is a line with a toxiproxy in it.
type wire struct {
	proxy *toxiproxy.Proxy
	port  int
}

func newWire(t *testing.T, upstream string) *wire {
	t.Helper()
	port, err := testproc.FreePort() // not just any: it comes back on the same one after a cut
	if err != nil {
		t.Fatal(err)
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics speak to the logger of the process
	hub := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w := &wire{toxiproxy.NewProxy(hub, t.Name(), fmt.Sprintf("127.0.0.1:%d", port), upstream), port}
	if err := w.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Stop)
	return w
}

// suffer begins the fault and ends it after its time; over is closed then.
func (w *wire) suffer(t *testing.T, f fault, over chan struct{}) {
	if f.toxic == "" {
		w.proxy.Stop()
		time.AfterFunc(f.lasts, func() {
			if err := w.proxy.Start(); err != nil {
				t.Error(err)
			}
			close(over)
		})
		return
	}
	for _, stream := range []string{"upstream", "downstream"} {
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name": %q, "stream": %q, %s}`, stream, stream, f.toxic))); err != nil {
			t.Error(err)
		}
	}
	time.AfterFunc(f.lasts, func() {
		w.proxy.Toxics.ResetToxics(context.Background())
		close(over)
	})
}

// The line to the object store is bad for a while, and then it is good again.
func TestBadLineToObjectStore(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	for i, f := range storeFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, strings.TrimPrefix(s3.Endpoint, "http://"))
			behind := *s3
			behind.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", w.port)
			s := start(t, append(objectStore(&behind), "BUCKET_PREFIX=bad-line-"+strconv.Itoa(i))...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.uploadsDuring(t, w, f)
		})
	}
}

// The line to PostgreSQL is bad for a while, and then it is good again.
func TestBadLineToDatabase(t *testing.T) {
	t.Parallel()
	for _, f := range databaseFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(pgtest.New(t))
			if err != nil {
				t.Fatal(err)
			}
			w := newWire(t, u.Host)
			password, _ := u.User.Password()
			s := start(t, postgres(&pgtest.Server{Host: "127.0.0.1", Port: w.port, User: u.User.Username(), Password: password, Database: strings.TrimPrefix(u.Path, "/")})...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.uploadsDuring(t, w, f)
		})
	}
}

// uploadsDuring has three clients upload, who ask for the offset when something fails, as
// tus clients do. The fault begins in the middle of a chunk of the first one; the second
// sends parts; the third begins during the fault. All of them finish.
func (s *server) uploadsDuring(t *testing.T, w *wire, f fault) {
	clients := make([]*uploader, 3)
	for i := range clients {
		clients[i] = &uploader{s: s, t: t, rand: rand.New(rand.NewPCG(uint64(i), 0)), rough: true, files: map[string]string{}}
	}
	chunks, parts := clients[0].create(4*mebi+1, mebi), clients[1].create(12*mebi, 5*mebi)
	if chunks == nil || parts == nil || !clients[0].step(chunks) || !clients[0].step(chunks) || !clients[1].step(parts) {
		t.Fatal("nothing works even before the fault")
	}
	begun, over := make(chan struct{}), make(chan struct{})
	chunks.during = func() { w.suffer(t, f, over); close(begun) }
	var wg sync.WaitGroup
	wg.Go(func() { clients[0].finish(chunks) })
	wg.Go(func() { <-begun; clients[1].finish(parts) })
	wg.Go(func() {
		<-begun
		if late := clients[2].create(mebi+1, mebi); late != nil {
			clients[2].finish(late)
		}
	})
	wg.Wait()
	<-over
	kept := map[string]string{}
	failed := 0
	for _, u := range clients {
		maps.Copy(kept, u.files)
		failed += u.failed
	}
	s.keeps(t, kept)
	t.Logf("%d chunks were not taken at once", failed)
	s.stop()
}

// finish goes on with an upload until it is one file, and reads that.
func (u *uploader) finish(f *sending) {
	for f.url == "" && !u.t.Failed() {
		if !u.step(f) {
			u.failed++
			time.Sleep(100 * time.Millisecond) // a client that came back at once, again and again, would be none
		}
	}
	if !u.t.Failed() {
		u.finished(f)
	}
}
