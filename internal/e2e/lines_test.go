package e2e

import (
	"maps"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/badline"
	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// badHour is a fault that lasts for a while on the line between the program and its database or store.
type badHour struct {
	name  string
	fault badline.Fault // in both directions; none: the line is cut
	lasts time.Duration
}

// storeHours are for the line to the object store.
var storeHours = []badHour{
	{"latency", badline.Fault{Latency: 100 * time.Millisecond, Jitter: 600 * time.Millisecond}, 6 * time.Second},
	{"bandwidth", badline.Fault{Rate: 300_000}, 6 * time.Second},
	{"reset", badline.Fault{Reset: true}, 6 * time.Second},
	{"slow close", badline.Fault{SlowClose: 3 * time.Second}, 6 * time.Second},
	{"slices", badline.Fault{Slice: 4000, Pause: 500 * time.Microsecond}, 6 * time.Second},
	{"silence", badline.Fault{Silence: true}, 6 * time.Second},
	{"cut", badline.Fault{}, 10 * time.Second},
}

// databaseHours are for the line to PostgreSQL, where messages are small and many.
var databaseHours = []badHour{
	{"latency", badline.Fault{Latency: 50 * time.Millisecond, Jitter: 200 * time.Millisecond}, 6 * time.Second},
	{"bandwidth", badline.Fault{Rate: 4000}, 6 * time.Second},
	{"reset", badline.Fault{Reset: true}, 6 * time.Second},
	{"slow close", badline.Fault{SlowClose: 3 * time.Second}, 6 * time.Second},
	{"slices", badline.Fault{Slice: 20, Pause: 500 * time.Microsecond}, 6 * time.Second},
	{"silence", badline.Fault{Silence: true}, 6 * time.Second},
	{"cut", badline.Fault{}, 10 * time.Second},
}

// suffer begins the bad hour and ends it after its time; over is closed then.
func (h badHour) suffer(t *testing.T, line *badline.Line, over chan struct{}) {
	if h.fault == (badline.Fault{}) {
		line.Cut()
	} else {
		line.Spoil(badline.Both, h.fault)
	}
	time.AfterFunc(h.lasts, func() {
		line.Mend()
		if err := line.Restore(); err != nil {
			t.Error(err)
		}
		close(over)
	})
}

// The line to the object store is bad for a while, and then it is good again.
func TestBadLineToObjectStore(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	for i, h := range storeHours {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			beyond := *s3
			line := behind(t, &beyond)
			s := start(t, append(objectStore(&beyond), "BUCKET_PREFIX=bad-line-"+strconv.Itoa(i))...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.uploadsDuring(t, line, h)
		})
	}
}

// The line to PostgreSQL is bad for a while, and then it is good again.
func TestBadLineToDatabase(t *testing.T) {
	t.Parallel()
	for _, h := range databaseHours {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(pgtest.New(t))
			if err != nil {
				t.Fatal(err)
			}
			line := badline.New(t, u.Host)
			password, _ := u.User.Password()
			s := start(t, postgres(&pgtest.Server{Host: "127.0.0.1", Port: line.Port, User: u.User.Username(),
				Password: password, Database: strings.TrimPrefix(u.Path, "/")})...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.uploadsDuring(t, line, h)
		})
	}
}

// uploadsDuring runs three clients that upload, and request the offset when something fails, as tus clients do. The
// fault begins in the middle of a chunk of the first one; the second sends parts; the third begins during it. All of
// them finish.
func (s *server) uploadsDuring(t *testing.T, line *badline.Line, h badHour) {
	clients := make([]*uploader, 3)
	for i := range clients {
		clients[i] = &uploader{s: s, t: t, rand: rand.New(rand.NewPCG(uint64(i), 0)), rough: true, files: map[string]string{}}
	}
	chunks, parts := clients[0].create(4*mebi+1, mebi), clients[1].create(12*mebi, 5*mebi)
	if chunks == nil || parts == nil || !clients[0].step(chunks) || !clients[0].step(chunks) || !clients[1].step(parts) {
		t.Fatal("nothing works even before the fault")
	}
	begun, over := make(chan struct{}), make(chan struct{})
	chunks.during = func() { h.suffer(t, line, over); close(begun) }
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

// finish continues an upload until it is a file, and downloads that.
func (u *uploader) finish(f *sending) {
	for f.url == "" && !u.t.Failed() {
		if !u.step(f) {
			u.failed++
			time.Sleep(100 * time.Millisecond) // real clients pause between attempts
		}
	}
	if !u.t.Failed() {
		u.finished(f)
	}
}
