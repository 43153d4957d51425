package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// With TLS, too, a connection over the limit gets an answer; clients that connect and stay silent, before or after
// their handshake, do not lock out others.
func TestConnectionLimitsWithTLS(t *testing.T) {
	t.Parallel()
	s := startSecure(t, "MAX_CONNECTIONS=2")
	s.lines.DisableKeepAlives = true // each request is a client that comes anew
	for range 3 {
		s.dial(t, "")
		c, err := tls.Dial("tcp", s.host(), s.authority.Trust())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	at := [2]string{s.create(t, mebi), s.create(t, mebi)}
	one, two := s.onlyHTTP1(t, at[0]), s.onlyHTTP1(t, at[1])
	c, err := tls.Dial("tcp", s.host(), s.authority.Trust())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third: %v %v", res, err)
	}
	one.Close()
	two.Close()
	s.eventually("there is room again", func() bool { return s.scrape(t).sum("holdfast_connections") < 2 })
	if a := s.do(t, "GET", "/files/", nil); a.status != 200 {
		t.Error(a)
	}
}

// onlyHTTP1 begins a PATCH by HTTP/1.1 over TLS, and returns when its body is being read.
func (s secure) onlyHTTP1(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", s.host(), s.authority.Trust())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "PATCH "+at[strings.Index(at, "/files/"):]+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s.token+
		"\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"+octets+"\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	if said, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(said, "100 Continue") {
		t.Fatalf("%q %v", said, err)
	}
	return c
}

// Requests that share a connection count like connections: one client can't have any number of them.
func TestStreamsCountAsConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings []string
		want     int
	}{
		"all":    {[]string{"MAX_CONNECTIONS=4"}, http.StatusServiceUnavailable},
		"client": {[]string{"MAX_CONNECTIONS_PER_CLIENT=4", "TRUSTED_PROXIES=none"}, http.StatusTooManyRequests},
	} {
		s := startSecure(t, c.settings...)
		var at [4]string
		for i := range at {
			at[i] = s.create(t, mebi)
		}
		running := make([]stream, len(at))
		for i := range at {
			running[i] = s.patching(t, at[i], mebi, random(1000))
			s.eventually("it is counted, and no request before", func() bool {
				now := s.scrape(t)
				return now.sum("holdfast_http_requests_in_flight", "kind=upload") == float64(i+1) &&
					now.sum("holdfast_connections") == float64(i+1)
			})
		}
		ask := func() answer { return <-s.open(t, "GET", s.base+"/healthz", nil).answered }
		a := ask()
		if a.status != c.want || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v, want %d", name, a, c.want)
		}
		running[1].cancel()
		s.eventually("there is room again", func() bool { return ask().status == 200 })
		if n := s.scrape(t).sum("holdfast_connections_refused_total", "limit="+name); n < 1 {
			t.Errorf("%s: %v were refused", name, n)
		}
	}
}

// Connections beyond the memory for HTTP/2's windows speak HTTP/1.1.
func TestConnectionsBeyondTheWindowsMemory(t *testing.T) {
	t.Parallel()
	s := startSecure(t, "MEMORY_BUDGET=17825792") // four windows
	trust := s.authority.Trust()
	trust.NextProtos = []string{"h2", "http/1.1"}
	var spoken []string
	conns := make([]*tls.Conn, 6)
	for i := range conns {
		c, err := tls.Dial("tcp", s.host(), trust)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i], spoken = c, append(spoken, c.ConnectionState().NegotiatedProtocol)
	}
	if got := strings.Join(spoken, " "); strings.Count(got, "h2") > 4 || !strings.HasSuffix(got, "http/1.1 http/1.1") {
		t.Errorf("spoken: %s", got)
	}
	for _, c := range conns {
		c.Close()
	}
	s.eventually("HTTP/2 is spoken again", func() bool {
		c, err := tls.Dial("tcp", s.host(), trust)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().NegotiatedProtocol == "h2"
	})
}

// A client that stops reading its download is cut off: one that opens no window, and one whose connection hangs. Other
// requests of the first one, and other clients, are not affected.
func TestReadersThatStandByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t, "WRITE_TIMEOUT=2s")
	file, _ := s.upload(t, random(40*mebi))
	get := func(lines *http.Transport) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token)
		res, err := lines.RoundTrip(r)
		if err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
			t.Fatal(res, err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	res := get(s.lines)
	slow := func() float64 { return s.scrape(t).sum("holdfast_download_aborted_total", "by=client") }
	s.eventually("the download without a window is ended", func() bool { return slow() == 1 })
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("it looks whole")
	}
	s.offset(t, s.create(t, 1)) // the connection goes on

	stuck := &stuckConn{}
	lines := newLines()
	lines.TLSClientConfig, lines.DialContext = s.authority.Trust(), stuck.dial
	lines.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 * mebi, MaxReceiveBufferPerConnection: 64 * mebi}
	get(lines)
	stuck.stop()
	s.eventually("the connection that stands is ended", func() bool {
		return s.scrape(t).sum("holdfast_connections") <= 1
	})
}

// When the service stops, the bytes of uploads by HTTP/2 are kept and their offsets answered, and connections end.
func TestStopByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	at := s.create(t, mebi)
	st := s.patching(t, at, mebi, random(1000))
	s.eventually("the upload is at work", func() bool {
		return s.scrape(t).sum("holdfast_http_requests_in_flight",
			"kind=upload") > 0
	})
	s.process.Signal(syscall.SIGTERM)
	a := <-st.answered
	told, err := strconv.Atoi(a.header.Get("Upload-Offset"))
	if a.status != 503 || err != nil {
		t.Errorf("the upload: %v", a)
	}
	s.ended(t)
	s.restart()
	if n := s.offset(t, at); n != told {
		t.Errorf("%d bytes are kept, %d were told", n, told)
	}
}
