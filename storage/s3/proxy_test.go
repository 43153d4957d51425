package s3

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
)

// testLimits let a test of faults try again at once. Their times end only what hangs.
var testLimits = limits{
	ask: 2 * time.Minute, write: 2 * time.Minute, patient: 2 * time.Minute,
	answer: time.Minute, stallRead: time.Minute, stallWrite: time.Minute,
	backoff: time.Millisecond, maxBackoff: 30 * time.Millisecond,
}

// hasty is for tests in which a store does not answer, or stands still. On a busy machine a request may fail by it
// that no fault has met: it is sent again.
func hasty(o *Options) {
	o.limits.ask, o.limits.write, o.limits.patient = 20*time.Second, 20*time.Second, 20*time.Second
	o.limits.answer, o.limits.stallRead, o.limits.stallWrite = time.Second, time.Second, time.Second
}

// faultyProxy is a proxy before a real S3 server. The next requests of a given kind meet a fault; all others pass.
type faultyProxy struct {
	*httptest.Server
	pass http.Handler

	mu     sync.Mutex
	method string // of the requests that meet the fault, and part of their URI
	part   string
	times  int
	all    bool // requests of every kind are harmed
	fault  fault
	seen   []*http.Request // all that came, without their bodies
}

// fault answers a request in place of the server, or with its help.
type fault func(p *faultyProxy, w http.ResponseWriter, r *http.Request)

func newFaultyProxy(t testing.TB, s *s3test.Server, tls bool, change ...func(*http.Server)) *faultyProxy {
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := &faultyProxy{pass: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	p.Server = httptest.NewUnstartedServer(p)
	for _, f := range change {
		f(p.Config)
	}
	if tls {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// client speaks to s through the proxy.
func (p *faultyProxy) client(t testing.TB, s *s3test.Server, change ...func(*Options)) *Client {
	o := Options{Endpoint: p.URL, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Signing: Unsigned,
		limits: testLimits}
	if strings.HasPrefix(p.URL, "https:") {
		config := p.Client().Transport.(*http.Transport).TLSClientConfig
		o.transport = func(t *http.Transport) { t.TLSClientConfig = config }
	}
	for _, f := range change {
		f(&o)
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// harm makes the next requests of this kind meet f.
func (p *faultyProxy) harm(method, part string, times int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.method, p.part, p.times, p.fault, p.seen = method, part, times, f, nil
}

// harmAll makes requests of every kind meet the fault, or only those named by harm.
func (p *faultyProxy) harmAll(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = all
}

func (p *faultyProxy) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Clone(context.Background()))
	f := p.fault
	hit := p.times > 0 && r.Method == p.method && strings.Contains(r.RequestURI, p.part) || p.all
	if hit {
		p.times--
	}
	p.mu.Unlock()
	if hit {
		f(p, w, r)
		return
	}
	p.pass.ServeHTTP(w, r)
}

// answers returns an error answer, as of a server with an internal problem.
func answers(status int, code string) fault {
	return func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>x</Message></Error>`)
		}
	}
}

// resets reads half of the request and cuts the connection.
func resets(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
	io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	hangUp(w, nil, 0)
}

// cuts executes the request, and resets the connection in the middle of the answer.
func cuts(p *faultyProxy, w http.ResponseWriter, r *http.Request) { half(p, w, r, 0) }

// ends is like cuts, but closes the connection regularly.
func ends(p *faultyProxy, w http.ResponseWriter, r *http.Request) { half(p, w, r, -1) }

func half(p *faultyProxy, w http.ResponseWriter, r *http.Request, linger int) {
	answer := httptest.NewRecorder()
	p.pass.ServeHTTP(answer, r)
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + strconv.Itoa(answer.Code) + " x\r\n")
	length := answer.Body.Len()
	if length == 0 {
		length = 1 // half of nothing would be the whole body
	}
	answer.Header().Set("Content-Length", strconv.Itoa(length))
	answer.Header().Write(&b)
	b.WriteString("\r\n")
	b.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	head := b.String()
	if answer.Body.Len() == 0 {
		head = head[:len(head)/2]
	}
	hangUp(w, []byte(head), linger)
}

// hangUp closes a connection after some last bytes; with linger 0 by a reset.
func hangUp(w http.ResponseWriter, last []byte, linger int) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Write(last)
	if len(last) > 0 {
		time.Sleep(20 * time.Millisecond) // a reset may overtake what was sent before it
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(linger)
	}
	conn.Close()
}

// hangs reads the request and does not answer until the client has gone.
func hangs(_ *faultyProxy, _ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// stops reads half of the request and then nothing more.
func stops(_ *faultyProxy, _ http.ResponseWriter, r *http.Request) {
	io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	select {
	case <-r.Context().Done():
	case <-time.After(3 * time.Second): // a server that does not read does not see a client go
	}
}

// stallsAnswering sends half of the answer and then nothing more.
func stallsAnswering(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	p.pass.ServeHTTP(answer, r)
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// slowReader returns a few bytes at a time, with a pause before each.
type slowReader struct {
	io.ReadCloser
	most int
	wait time.Duration
}

func (s slowReader) Read(b []byte) (int, error) {
	time.Sleep(s.wait)
	return s.ReadCloser.Read(b[:min(s.most, len(b))])
}

// slowly passes the request on, reading its body a little at a time.
func slowly(most int, wait time.Duration) fault {
	return func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
		r.Body = slowReader{r.Body, most, wait}
		p.pass.ServeHTTP(w, r)
	}
}
