package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
)

const (
	slowClients = 2000
	slowRate    = 1000 // bytes a second of each
	// The bytes that each of them sends at its beginning. All together are more than the smaller MEMORY_BUDGET here,
	// so they can't be held.
	slowBurst = 40 << 10
	slowSize  = 512 << 10 // bytes of each of their files; none comes to its end

	fastFiles = 3
	fastSize  = 96 * mebi
)

// 2,000 clients send 1 KB/s each, and one beside them is fast: it loses less than a quarter of its speed, and the
// program's memory stays within its budget and 200 MiB. Both are judged by `make crowd`, which runs this test alone;
// beside other tests it only checks that all requests succeed.
func TestFastBesideSlow(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if files.Cur = files.Max; files.Cur < 2*slowClients { // Go raises it at start, where it may
		t.Fatalf("this needs %d open files, and the limit is %d: raise it (ulimit -n)", 2*slowClients, files.Max)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	program := holdfasttest.Plain(t) // the race detector would take the time and the memory that are measured
	for _, budget := range []int{256 * mebi, 64 * mebi} {
		if budget < 256*mebi && os.Getenv("HOLDFAST_TEST_ALONE") == "" {
			continue
		}
		t.Run(fmt.Sprintf("%d MiB", budget/mebi), func(t *testing.T) {
			b := startBacking(t)
			s := newServer(t, append(servers(b.pg, b.s3), fmt.Sprintf("MEMORY_BUDGET=%d", budget),
				// The first of the slow clients waits until the last has come.
				"MAX_UNFINISHED_UPLOADS=0", "READ_TIMEOUT=1h")...)
			s.binary = program
			s.launch()
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.fastBesideSlow(t, b, budget)
			s.stop()
		})
	}
}

func (s *server) fastBesideSlow(t *testing.T, b backing, budget int) {
	const least = 0.75
	content := random(fastSize)
	if os.Getenv("HOLDFAST_TEST_ALONE") == "" {
		s.beside(t, b, budget, content)
		return // beside other tests that share the processors neither a rate nor the memory says anything
	}
	const pairs = 3
	s.fast(t, content) // the first time everything is new, and slower
	best := 0.0
	for pair := 0; pair < pairs && best < least; pair++ {
		alone := s.fast(t, content)
		beside := s.beside(t, b, budget, content)
		t.Logf("alone %.0f MB/s, beside %d slow clients %.0f MB/s: %.2f", alone/1e6, slowClients, beside/1e6, beside/alone)
		best = max(best, beside/alone)
	}
	peak := s.memory(t, "VmHWM")
	t.Logf("at most %d MiB resident", peak/mebi)
	if best < least {
		t.Errorf("the fast client keeps %.2f of its speed, want at least %.2f", best, least)
	}
	if limit := budget + 200*mebi; peak > limit {
		t.Errorf("%d MiB resident, want at most %d MiB", peak/mebi, limit/mebi)
	}
}

// beside is fast while the slow clients send.
func (s *server) beside(t *testing.T, b backing, budget int, content []byte) (rate float64) {
	t.Helper()
	c := s.crowd(t)
	if slowClients*slowBurst > budget {
		s.eventually("bytes of slow clients are put away while they send", func() bool {
			return b.number(t, `select count(*) from uploads where size = $1 and committed_offset > 0`, slowSize) > 0
		})
	}
	rate = s.fast(t, content)
	c.leave(t, s)
	s.eventually("they are gone", func() bool {
		return b.number(t, `select count(*) from uploads where lease_until > extract(epoch from clock_timestamp()) *
			1000`) == 0
	})
	return rate
}

// memory is a line of /proc/PID/status, in bytes.
func (s *server) memory(t *testing.T, name string) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n"+name+":")
	if _, err := fmt.Sscanf(rest, "%d kB", &n); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n << 10
}

// fast uploads files, each in one PATCH, and returns the bytes per second.
func (s *server) fast(t *testing.T, content []byte) float64 {
	t.Helper()
	begun := time.Now()
	for range fastFiles {
		conn, err := s.head(s.create(t, len(content)), len(content))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(content); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("PATCH: %v %v", res, err)
		}
		conn.Close()
	}
	return float64(fastFiles*len(content)) / time.Since(begun).Seconds()
}

// head sends the head of a PATCH.
func (s *server) head(location string, length int) (net.Conn, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: "+
		"1.0.0\r\nUpload-Offset: 0\r\n%s\r\nContent-Length: %d\r\n\r\n",
		strings.TrimPrefix(location, strings.TrimSuffix(s.base, "/files")), s.token, octets, length)
	return conn, err
}

// crowd are slow clients. All send the same.
type crowd struct {
	content []byte
	clients []slowClient
	over    atomic.Bool
	ended   sync.WaitGroup
}

type slowClient struct {
	location string
	conn     net.Conn
	sent     int
}

// crowd starts the clients.
func (s *server) crowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{content: random(slowSize), clients: make([]slowClient, slowClients)}
	var next atomic.Int64
	var coming sync.WaitGroup
	for range 16 {
		coming.Go(func() {
			for i := next.Add(1) - 1; i < slowClients && !t.Failed(); i = next.Add(1) - 1 {
				if err := c.clients[i].come(s, c.content); err != nil {
					t.Errorf("a slow client could not begin: %v", err)
				}
			}
		})
	}
	coming.Wait()
	if t.Failed() {
		t.FailNow()
	}
	c.ended.Go(func() { c.send(t) })
	return c
}

func (c *slowClient) come(s *server, content []byte) error {
	a, err := s.ask("POST", "/files/tus/", nil, fmt.Sprintf("Upload-Length: %d", slowSize))
	if err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("create: %v %w", a, err)
	}
	c.location = a.header.Get("Location")
	if c.conn, err = s.head(c.location, slowSize); err != nil {
		return err
	}
	c.sent, err = c.conn.Write(content[:slowBurst])
	return err
}

// send sends what all of them send, for as long as they are there.
func (c *crowd) send(t *testing.T) {
	const turns = 20 // in each second, so that they don't all send at once
	tick := time.NewTicker(time.Second / turns)
	defer tick.Stop()
	for turn := 0; !c.over.Load(); turn++ {
		for i := turn % turns; i < len(c.clients); i += turns {
			one := &c.clients[i]
			n, err := one.conn.Write(c.content[one.sent:min(one.sent+slowRate, slowSize-1)])
			if one.sent += n; err != nil {
				t.Errorf("a slow client was thrown out: %v", err)
				return
			}
		}
		<-tick.C
	}
}

// leave checks that all of them were served until now, closes their connections, and lets some come back to send the
// rest.
func (c *crowd) leave(t *testing.T, s *server) {
	t.Helper()
	c.over.Store(true)
	c.ended.Wait()
	for i := range c.clients {
		conn := c.clients[i].conn
		conn.SetReadDeadline(time.Now()) // answers that have arrived are read nevertheless
		b := make([]byte, 200)
		if n, err := conn.Read(b); n > 0 || !os.IsTimeout(err) {
			t.Fatalf("a slow client was answered %q %v", b[:n], err)
		}
		conn.Close()
	}
	for i := 0; i < slowClients; i += slowClients / 4 {
		s.goesOn(t, c.clients[i].location, 0, c.content)
	}
}
