package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// TestKill9 kills the service at random moments while three clients upload: an answered
// offset never goes back, every upload finishes, and every file is what was sent.
func TestKill9(t *testing.T) {
	t.Parallel()
	s := start(t)
	crash{server: s, kills: 50, longest: 600 * time.Millisecond}.run(t)
}

// TestKill9OnServers is the same on PostgreSQL and an S3 server.
func TestKill9OnServers(t *testing.T) {
	t.Parallel()
	s := start(t, servers(pgtest.Start(t), s3test.Start(t))...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	// The leases of a dead process last for some seconds, since another replica could hold them: clients continue with
	// other files, and with the old ones at the end.
	crash{server: s, kills: 10, longest: 1500 * time.Millisecond, later: true}.run(t)
}

func servers(pg *pgtest.Server, s3 *s3test.Server) []string {
	return append(postgres(pg), objectStore(s3)...)
}

func postgres(pg *pgtest.Server) []string {
	return []string{"POSTGRES_HOST=" + pg.Host, "POSTGRES_PORT=" + strconv.Itoa(pg.Port), "POSTGRES_USER=" + pg.User,
		"POSTGRES_PASSWORD=" + pg.Password, "POSTGRES_DB=" + pg.Database}
}

func objectStore(s3 *s3test.Server) []string {
	return []string{"STORAGE_TYPE=s3", "S3_ENDPOINT=" + s3.Endpoint, "S3_ACCESS_KEY=" + s3.AccessKey, "S3_SECRET_KEY=" +
		s3.SecretKey, "S3_REGION=" + s3.Region}
}

type crash struct {
	server  *server
	kills   int
	longest time.Duration // between two kills
	later   bool          // clients leave an upload that broke off to the end
}

func (c crash) run(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var over atomic.Bool
	var wg sync.WaitGroup
	clients := make([]*uploader, 3)
	for i := range clients {
		clients[i] = &uploader{s: c.server, t: t, rand: rand.New(rand.NewPCG(seed, uint64(i))), over: &over, later: c.later,
			files: map[string]string{}}
		wg.Go(clients[i].run)
	}
	r := rand.New(rand.NewPCG(seed, 99))
	for range c.kills {
		time.Sleep(time.Duration(r.Int64N(int64(c.longest))))
		c.server.kill9()
		c.server.restart()
	}
	over.Store(true)
	wg.Wait()
	if t.Failed() {
		return
	}
	files, merges := map[string]string{}, 0
	for _, u := range clients {
		merges += u.merges
		maps.Copy(files, u.files)
	}
	// Empty files whose answer was lost, and files whose deletion was not answered.
	unknown := c.server.keeps(t, files)
	t.Logf("%d kills; %d files kept, %d uploads with more than 16 small chunks, %d files that no client knows", c.kills,
		len(files), merges, unknown)
	if len(files) == 0 {
		t.Error("no file was finished")
	}
	c.server.stop()
}

// keeps checks that these files, SHA-256 by URL, are listed and have the bytes that were sent. Other
// listed files, which no client knows, must match their ETag; it returns their number.
func (s *server) keeps(t *testing.T, files map[string]string) (unknown int) {
	t.Helper()
	listed := s.list(t)
	for url, sum := range files {
		if _, there := listed[url]; !there {
			t.Errorf("%s was finished and is not in the list", url)
		} else if got := s.sum(t, url); got != sum {
			t.Errorf("%s has SHA-256 %s, want %s", url, got, sum)
		}
		delete(listed, url)
	}
	for url, tag := range listed {
		if sum := s.sum(t, url); `"`+sum+`"` != tag {
			t.Errorf("%s is listed, has SHA-256 %s and the ETag %s", url, sum, tag)
		}
	}
	return len(listed)
}

// list returns the ETags of all own files by URL.
func (s *server) list(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for after := ""; ; {
		var page struct {
			Files []struct{ URL string }
			Next  *string
		}
		a := s.do(t, "GET", "/files/?limit=7&after="+after, nil)
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 {
			t.Fatalf("list: %v %v", a, err)
		}
		for _, f := range page.Files {
			if _, twice := all[f.URL]; twice {
				t.Errorf("%s is listed twice", f.URL)
			}
			head := s.do(t, "HEAD", f.URL, nil)
			if head.status != 200 {
				t.Errorf("%s is listed and HEAD gives %v", f.URL, head)
			}
			all[f.URL] = head.header.Get("ETag")
		}
		if page.Next == nil {
			return all
		}
		after = *page.Next
	}
}

func (s *server) sum(t *testing.T, url string) string {
	t.Helper()
	a := s.do(t, "GET", url, nil)
	if a.status != 200 {
		t.Errorf("GET %s: %v", url, a)
	}
	return digest(a.body)
}

func digest(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }

// uploader is one client. It reports errors to t, and ends at the first.
type uploader struct {
	s      *server
	t      *testing.T
	rand   *rand.Rand
	over   *atomic.Bool
	later  bool
	rough  bool // the lease of a request can be left behind, or lost: 409 and 423 mean "ask for the offset"
	merges int
	failed int               // refused chunks
	files  map[string]string // URL -> SHA-256 of the finished and not deleted ones
}

// sending is one upload as its client knows it.
type sending struct {
	location string
	content  []byte
	chunk    int
	answered int // the highest offset ever answered
	sent     int // no byte after this offset was ever sent
	url      string
	unsure   bool // an answer was lost, and the offset was not requested since

	during func() // what happens in the middle of the next chunk
}

func (u *uploader) run() {
	var left []*sending
	for !u.over.Load() && !u.t.Failed() {
		f := u.begin()
		for f != nil && f.url == "" && !u.t.Failed() {
			if !u.step(f) && u.later && !u.over.Load() {
				left = append(left, f)
				break
			}
		}
		if f != nil && f.url != "" {
			u.finished(f)
		}
	}
	for _, f := range left {
		for f.url == "" && !u.t.Failed() {
			u.step(f)
		}
		if !u.t.Failed() {
			u.finished(f)
		}
	}
}

// insist repeats a request until it gets an answer other than "try again".
func (u *uploader) insist(method, url string, headers ...string) (a answer) {
	var err error
	for end, pause := time.Now().Add(patience), growing(); time.Now().Before(end); pause() {
		if a, err = u.s.ask(method, url, nil, headers...); err == nil && a.status != 503 && a.status != 423 {
			return a
		}
	}
	u.t.Errorf("%s %s: %v %v", method, url, a, err)
	return a
}

func (u *uploader) begin() *sending {
	const mebi = 1 << 20
	kinds := []struct{ size, chunk int }{
		{1 * mebi, 30 << 10},      // merges: more than 16 tails
		{9 * mebi, 500 << 10},     // tails become parts
		{20 * mebi, 8 * mebi},     // parts
		{20 * mebi, 3*mebi + 777}, // parts of tails and body
		{20 * mebi, 32 * mebi},    // one request
		{200 << 10, 64 << 10},
		{1, 1},
	}
	k := kinds[u.rand.IntN(len(kinds))]
	return u.create(u.rand.IntN(k.size+1), k.chunk)
}

// create creates an upload of that many bytes; nil if that is refused.
func (u *uploader) create(size, chunk int) *sending {
	f := &sending{content: make([]byte, size), chunk: chunk}
	if size/chunk > 16 {
		u.merges++
	}
	rand.NewChaCha8([32]byte{byte(u.rand.Int()), byte(u.rand.Int()), byte(u.rand.Int())}).Read(f.content)
	a := u.insist("POST", "/files/tus/", "Upload-Length: "+strconv.Itoa(size))
	if a.status != 201 {
		u.t.Errorf("create: %v", a)
		return nil
	}
	f.location, f.url = a.header.Get("Location"), a.header.Get("Content-Location")
	return f
}

// step sends a chunk, and requests the offset if that fails; it reports whether the chunk was accepted.
func (u *uploader) step(f *sending) bool {
	end := min(f.answered+f.chunk, len(f.content))
	if !f.unsure && f.answered < len(f.content) {
		body := &counted{r: bytes.NewReader(f.content[f.answered:end])}
		if f.during != nil {
			body.r = &breaking{body.r, (end - f.answered) / 2, f.during}
			f.during = nil
		}
		a, err := u.s.ask("PATCH", f.location, body, octets, fmt.Sprintf("Upload-Offset: %d", f.answered))
		f.sent = max(f.sent, f.answered+int(body.n.Load()))
		if err == nil && a.status == 204 {
			if got := a.header.Get("Upload-Offset"); got != strconv.Itoa(end) {
				u.t.Errorf("PATCH from %d to %d answered the offset %s", f.answered, end, got)
			}
			f.answered, f.url = end, a.header.Get("Content-Location")
			if end == len(f.content) && f.url == "" {
				u.t.Errorf("the last PATCH has no Content-Location: %v", a)
			}
			return true
		}
		if err == nil && a.status < 500 && !(u.rough && (a.status == 409 || a.status == 423)) {
			u.t.Errorf("PATCH %s from %d: %v", f.location, f.answered, a)
			return false
		}
		if u.later && !u.over.Load() {
			f.unsure = true
			return false
		}
	}
	a := u.insist("HEAD", f.location)
	n, err := strconv.Atoi(a.header.Get("Upload-Offset"))
	if a.status != 200 || err != nil || n < f.answered || n > f.sent {
		u.t.Errorf("HEAD %s: %v; answered before: %d, sent: %d", f.location, a, f.answered, f.sent)
		return false
	}
	f.answered, f.unsure = n, false
	if n == len(f.content) {
		f.url = strings.Replace(f.location, "/tus/", "/", 1)
	}
	return false
}

// finished downloads the file, and deletes some files, but none at the end: on a slow machine no other may be finished.
func (u *uploader) finished(f *sending) {
	want := digest(f.content)
	a := u.insist("GET", f.url)
	if got := digest(a.body); a.status != 200 || got != want {
		u.t.Errorf("GET %s: status %d, %d bytes, SHA-256 %s; want %d bytes, %s", f.url, a.status, len(a.body), got,
			len(f.content), want)
		return
	}
	if u.over != nil && u.over.Load() || u.rand.IntN(2) == 0 {
		u.files[f.url] = want
		return
	}
	if a := u.insist("DELETE", f.url); a.status != 204 && a.status != 404 { // 404: the first answer was lost
		u.t.Errorf("DELETE %s: %v", f.url, a)
	}
	if a := u.insist("GET", f.url); a.status != 404 {
		u.t.Errorf("GET %s after DELETE: %d", f.url, a.status)
	}
}

// counted counts how much of a body was sent.
type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
