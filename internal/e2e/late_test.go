package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
	"holdfast/internal/test/testproc"
)

// heldStore is a proxy in front of a real S3 server. It reads the first request for which hold returns true to its
// end, and forwards it only when let is closed, even if the sender has died meanwhile.
type heldStore struct {
	hold  func(*http.Request) bool
	taken chan struct{} // closed when it has the request
	let   chan struct{} // closed to forward it
	done  chan int      // gets the server's status
	once  sync.Once
}

// holding puts a heldStore before s3, and returns the setting for servers that shall use it.
func holding(t *testing.T, s3 *s3test.Server, hold func(*http.Request) bool) (h *heldStore, setting string) {
	t.Helper()
	target, err := url.Parse(s3.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	h = &heldStore{hold: hold, taken: make(chan struct{}), let: make(chan struct{}), done: make(chan int, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mine := false
		if h.hold(r) {
			h.once.Do(func() { mine = true })
		}
		if !mine {
			pass.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error("the request that was to be held broke off:", err)
		}
		close(h.taken)
		<-h.let
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		pass.ServeHTTP(answer, late)
		h.done <- answer.Code
		w.WriteHeader(answer.Code)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return h, "S3_ENDPOINT=" + server.URL
}

// A write of a file's object is under way when the replica that sent it is killed, and arrives after the other
// replica has recorded the file: a PUT of the whole object, with the same or other bytes, or the request that
// completes a multipart upload.
func TestWriteThatArrivesLate(t *testing.T) {
	t.Parallel()
	for _, c := range []lateWrite{
		{"PUT of the same bytes", 7 * mebi, 5 * mebi, false, wholePut},
		{"PUT of other bytes", 7 * mebi, 5 * mebi, true, wholePut},
		{"PUT of other bytes, in one piece", 1000, 1000, true, wholePut},
		{"complete", 20 * mebi, 0, false, func(r *http.Request) bool {
			return r.Method == "POST" && r.URL.Query().Has("uploadId")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.arrives(t)
		})
	}
}

type lateWrite struct {
	name  string
	size  int
	cut   int  // where the second replica's first request ends
	other bool // the second replica gets other bytes
	hold  func(*http.Request) bool
}

func (c lateWrite) arrives(t *testing.T) {
	p := &pair{backing: startBacking(t)}
	held, through := holding(t, p.s3, c.hold)
	env := servers(p.pg, p.s3)
	p.a, p.b = start(t, append(env, through)...), start(t, env...)
	p.a.token = p.a.run("token", "create", "--user", "1", "--account", "1")
	p.b.token = p.a.token
	at := p.begin(t, c.size)
	content := c.upload(t, p, held, at)

	file := strings.Replace(at, "/tus/", "/", 1)
	p.b.holds(t, file, content)
	close(held.let)
	if status := <-held.done; c.name != "complete" && status != 200 {
		t.Fatalf("the late PUT got %d: it did not arrive", status)
	}
	p.b.holds(t, file, content)
	if found, clean := p.b.reconcile(t, "--deep"); !clean {
		t.Errorf("reconcile found %v", found)
	}
	if a := p.b.do(t, "DELETE", file, nil); a.status != 204 {
		t.Fatalf("DELETE: %v", a)
	}
	if left := p.objects(t); len(left) > 0 {
		t.Errorf("%d objects stay, one is %s", len(left), *left[0].Key)
	}
}

// upload kills the first replica while its write is held, and sends the rest to the second.
func (c lateWrite) upload(t *testing.T, p *pair, held *heldStore, at string) (content []byte) {
	t.Helper()
	sent := random(c.size)
	content = sent
	if c.other {
		content = random(c.size)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		// It ends with an error, because the replica is killed.
		p.a.ask("PATCH", at, sent, "Tus-Resumable: 1.0.0", "Upload-Offset: 0",
			"Content-Type: application/offset+octet-stream")
	}()
	<-held.taken
	p.a.kill9()
	<-answered

	p.b.eventually("the other replica gets the upload", func() bool { return p.b.do(t, "HEAD", at, nil).status == 200 })
	offset := p.b.offset(t, at)
	for _, end := range []int{c.cut, c.size} {
		if end <= offset {
			continue
		}
		if a := p.b.patch(t, at, offset, content[offset:end]); a.status != 204 {
			t.Fatalf("PATCH from %d to %d: %v", offset, end, a)
		}
		offset = end
	}
	return content
}

// The same with an import that is killed and run again, after its source has changed.
func TestImportWriteThatArrivesLate(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	held, through := holding(t, b.s3, wholePut)
	env := append(servers(b.pg, b.s3), "BUCKET_PREFIX=pneumatic-dev-test")
	s, killed := newServer(t, env...), newServer(t, append(env, through)...)
	manifest, source := filepath.Join(s.folder, "manifest"), filepath.Join(s.folder, "a.bin")
	write := func(name string, content []byte) {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(manifest, []byte(`{"account": 1, "user": 1, "source": "a.bin"}`))
	write(source, random(70000))
	p, err := testproc.Start(killed.command("import", "--manifest", manifest, "--folder", s.folder), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	<-held.taken
	p.Stop(syscall.SIGKILL, patience)

	content := random(70000)
	write(source, content)
	s.run("import", "--manifest", manifest, "--folder", s.folder)
	close(held.let)
	if status := <-held.done; status != 200 {
		t.Fatalf("the late PUT got %d: it did not land", status)
	}
	s.launch()
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	for url := range s.list(t) {
		s.holds(t, url, content)
	}
	if n := len(s.list(t)); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
	// reconcile finds the late object beside the recorded one, once it is old enough.
	b.s3.Age(t, 72*time.Hour)
	if found, _ := s.reconcile(t, "--fix"); len(found) != 1 {
		t.Errorf("reconcile found %v, want what landed late", found)
	}
	if found, clean := s.reconcile(t, "--deep"); !clean || len(b.objects(t)) != 1 {
		t.Errorf("after the repair there are %d objects, and it found %v", len(b.objects(t)), found)
	}
}

// wholePut picks a PUT of a file's object.
func wholePut(r *http.Request) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return r.Method == "PUT" && key != "" && !strings.HasPrefix(key, "tails/") && !r.URL.Query().Has("partNumber")
}
