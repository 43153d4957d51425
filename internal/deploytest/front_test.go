package deploytest

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/proxytest"
	"holdfast/internal/test/testproc"
	"holdfast/internal/test/tlstest"
)

// front is a proxy, with its file of deploy/.
type front struct {
	name    string
	start   func(t testing.TB, port, upstream int, pair tlstest.Pair) (log string)
	secure  bool   // it speaks TLS and HTTP/2
	interim string // what its file says of INTERIM_THROUGH_PROXY
}

var (
	nginx = front{"nginx", func(t testing.TB, port, upstream int, _ tlstest.Pair) string {
		t.Helper()
		return proxytest.Nginx(t, port, upstream)
	}, false, "off"}
	caddy   = front{"Caddy", proxytest.Caddy, true, "first"}
	haproxy = front{"HAProxy", proxytest.HAProxy, true, "on"}
)

// eachFront runs a scene with each proxy in front of a program of its own.
func eachFront(t *testing.T, env []string, scene func(*testing.T, front, client)) {
	for _, f := range []front{nginx, caddy, haproxy} {
		t.Run(f.name, func(t *testing.T) { scene(t, f, f.put(t, env...)) })
	}
}

// put starts the program, and the proxy in front of it. The client speaks HTTP/2 with the proxy if that does.
func (f front) put(t *testing.T, env ...string) client {
	t.Helper()
	binary := holdfasttest.Plain(t)
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	authority := tlstest.New(t, t.TempDir())
	transport := &http.Transport{TLSClientConfig: authority.Trust(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c := client{base: fmt.Sprintf("http://127.0.0.1:%d/files", port), http: &http.Client{Transport: transport}}
	if f.secure {
		c.base = fmt.Sprintf("https://127.0.0.1:%d/files", port)
	}
	h := startHoldfast(t, binary, c.base, append([]string{"INTERIM_THROUGH_PROXY=" + f.interim}, env...)...)
	c.token, c.log, c.upstream = h.token, h.log, h.port
	c.proxyLog = f.start(t, port, h.port, authority.Issue(t, time.Now().Add(24*time.Hour)))
	return c
}

// logged is what the program has logged.
func (c client) logged(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
