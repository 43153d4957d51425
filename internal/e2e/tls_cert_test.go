package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/test/tlstest"
)

// shown returns the serial number of the certificate that the server uses now.
func (s secure) shown(t *testing.T) string {
	t.Helper()
	c, err := tls.Dial("tcp", s.host(), s.authority.Trust())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// A renewed certificate is used without a restart, and without a failed request. An invalid one changes nothing.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	var over atomic.Bool
	var asked atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			lines := newLines() // a handshake for each request
			lines.TLSClientConfig, lines.DisableKeepAlives = s.authority.Trust(), true
			for !over.Load() {
				res, err := (&http.Client{Transport: lines, Timeout: patience}).Get(s.base + "/healthz")
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("during the change: %v %v", res, err)
					return
				}
				res.Body.Close()
				asked.Add(1)
			}
		})
	}
	for range 2 {
		before, n := s.shown(t), asked.Load()
		s.issue(t).Write(t, s.folder)
		s.eventually("the new certificate is shown", func() bool { return s.shown(t) != before && asked.Load() > n+20 })
	}
	before := s.shown(t)
	tlstest.Pair{Cert: []byte("garbage"), Key: s.issue(t).Key}.Write(t, s.folder)
	s.eventually("the bad one is refused", func() bool {
		return s.scrape(t).sum("holdfast_tls_reloads_total", "result=refused") == 1
	})
	if s.shown(t) != before || !strings.Contains(s.logged(), "can't be used") {
		t.Errorf("after a bad certificate; the log:\n%s", s.logged())
	}
	s.issue(t).Write(t, s.folder)
	s.eventually("the next good one is shown", func() bool { return s.shown(t) != before })
	over.Store(true)
	wg.Wait()
	left := s.scrape(t).sum("holdfast_tls_certificate_expiry_timestamp_seconds") - float64(time.Now().Unix())
	if left < 22*3600 || left > 24*3600 {
		t.Errorf("the certificate expires in %v s", left)
	}
}

// logged is what the server has logged.
func (s *server) logged() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// With an invalid certificate the service does not start, and names the file.
func TestStartWithAWrongCertificate(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(s secure, cert, key string){
		"tls.crt": func(_ secure, cert, _ string) { os.Remove(cert) },
		"tls.key": func(_ secure, _, key string) { os.Remove(key) },
		"match":   func(s secure, _, key string) { os.WriteFile(key, s.issue(t).Key, 0o600) },
	} {
		s := newSecure(t)
		spoil(s, filepath.Join(s.folder, "tls.crt"), filepath.Join(s.folder, "tls.key"))
		out, err := s.command().CombinedOutput()
		if err == nil || err.Error() != "exit status 2" || !strings.Contains(string(out), name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The port speaks TLS 1.2 and newer, and nothing else; ADMIN_ADDR speaks plain HTTP.
func TestWhatThePortSpeaks(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	old := s.authority.Trust()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if c, err := tls.Dial("tcp", s.host(), old); err == nil {
		t.Errorf("TLS %x", c.ConnectionState().Version)
	}
	res, err := http.Get("http://" + s.host() + "/healthz")
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %v %v", res, err)
	}
	if !strings.HasPrefix(s.admin(), "http://") {
		t.Error(s.admin())
	}
	s.eventually("both handshakes have failed", func() bool {
		return s.scrape(t).sum("holdfast_tls_handshake_failures_total") == 2
	})
	s.run("healthcheck")
}

// Scanners do not fill the log, and are counted.
func TestScannersFillNoLog(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	const scans = 200
	for i := range scans {
		c, err := net.Dial("tcp", s.host())
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			fmt.Fprint(c, "SSH-2.0-x\r\n")
		}
		c.Close()
	}
	s.eventually("all are counted", func() bool {
		return s.scrape(t).sum("holdfast_tls_handshake_failures_total") >= scans
	})
	if n := strings.Count(s.logged(), "handshake"); n > 5 {
		t.Errorf("%d lines in the log", n)
	}
}
