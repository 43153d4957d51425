package redisclient

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/redistest"
)

// encrypted starts a listener that takes TLS off, in front of a Redis, with a certificate that no machine trusts. It
// returns its URL.
func encrypted(t *testing.T, server *redistest.Server) string {
	t.Helper()
	certificates := httptest.NewTLSServer(nil)
	t.Cleanup(certificates.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificates.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	plain := fmt.Sprintf("127.0.0.1:%d", server.Port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go forward(c, plain)
		}
	}()
	return strings.Replace(strings.Replace(server.URL(), "redis:", "rediss:", 1), plain, l.Addr().String(), 1)
}

// forward passes bytes both ways until one side ends.
func forward(c net.Conn, address string) {
	defer c.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { io.Copy(to, c); to.Close() }()
	io.Copy(c, to)
}

// A certificate is checked, unless the URL says otherwise in the words of go-redis or redis-py.
func TestTLS(t *testing.T) {
	url := encrypted(t, redistest.Start(t))
	for end, trusts := range map[string]bool{"": false, "?skip_verify=false": false, "?ssl_cert_reqs=required": false,
		"?skip_verify=true": true, "?ssl_cert_reqs=none": true, "?ssl_cert_reqs=CERT_NONE&db=1": true} {
		c, err := Open(Options{URL: url + end, Patience: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Ping(t.Context()); (err == nil) != trusts || err != nil && !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%q: %v", end, err)
		}
		c.Close()
	}
}
