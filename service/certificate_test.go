package service

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/config"
	"holdfast/internal/test/tlstest"
)

// issue makes an authority and a certificate that is valid until then, in files of a folder.
func issue(t *testing.T, until time.Time) (*tlstest.Authority, config.TLS) {
	t.Helper()
	folder := t.TempDir()
	a := tlstest.New(t, folder)
	cert, key := a.Issue(t, until).Write(t, folder)
	return a, config.TLS{Cert: cert, Key: key}
}

// Files that are not a certificate and its key are refused, with the file's name.
func TestWrongCertificate(t *testing.T) {
	_, good := issue(t, time.Now().Add(time.Hour))
	_, other := issue(t, time.Now().Add(time.Hour))
	nowhere, garbage := filepath.Join(t.TempDir(), "nowhere"), filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files config.TLS
		want  []string
	}{
		"no certificate":       {config.TLS{Cert: nowhere, Key: good.Key}, []string{"TLS_CERT", nowhere}},
		"no key":               {config.TLS{Cert: good.Cert, Key: nowhere}, []string{"TLS_KEY", nowhere}},
		"another key":          {config.TLS{Cert: good.Cert, Key: other.Key}, []string{good.Cert, other.Key, "match"}},
		"garbage":              {config.TLS{Cert: garbage, Key: good.Key}, []string{garbage, "certificate input"}},
		"a key of garbage":     {config.TLS{Cert: good.Cert, Key: garbage}, []string{garbage, "key input"}},
		"the wrong way around": {config.TLS{Cert: good.Key, Key: good.Cert}, []string{good.Key, "switched"}},
		"a folder":             {config.TLS{Cert: t.TempDir(), Key: good.Key}, []string{"TLS_CERT", "directory"}},
	} {
		_, err := openCertificate(c.files, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, without %q", name, err, want)
			}
		}
	}
}

// A certificate that has expired is used, and the log says so: clients decide.
func TestExpiredCertificate(t *testing.T) {
	_, files := issue(t, time.Now().Add(-time.Hour))
	var said bytes.Buffer
	c, err := openCertificate(files, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.get(nil); got == nil || !strings.Contains(said.String(), "has expired") {
		t.Errorf("%v; the log: %s", got, said.String())
	}
	if left := testutil.ToFloat64(c.expiry) - float64(time.Now().Unix()); left > -3500 || left < -3700 {
		t.Errorf("it expires in %v s", left)
	}
}

// The certificate is reloaded when its files change. While they do not match, the previous one stays in use, and the
// log says so once, but not for the moment between two writes.
func TestReload(t *testing.T) {
	authority, files := issue(t, time.Now().Add(time.Hour))
	var said bytes.Buffer
	c, err := openCertificate(files, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	counted := func(taken, refused float64) {
		t.Helper()
		if got := testutil.ToFloat64(c.reloads.WithLabelValues("taken")); got != taken {
			t.Errorf("taken %v times, want %v", got, taken)
		}
		if got := testutil.ToFloat64(c.reloads.WithLabelValues("refused")); got != refused {
			t.Errorf("refused %v times, want %v", got, refused)
		}
	}
	first, _ := c.get(nil)
	c.reload()
	counted(0, 0)

	next := authority.Issue(t, time.Now().Add(2*time.Hour))
	if err := os.WriteFile(files.Cert, next.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	c.reload() // the key is not there yet
	counted(0, 0)
	next.Write(t, filepath.Dir(files.Cert))
	c.reload()
	counted(1, 0)
	second, _ := c.get(nil)
	if second == first || strings.Contains(said.String(), "can't be used") {
		t.Errorf("the new certificate is not used; the log: %s", said.String())
	}

	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		c.reload()
	}
	counted(1, 1)
	if got, _ := c.get(nil); got != second || strings.Count(said.String(), "can't be used") != 1 ||
		!strings.Contains(said.String(), files.Key) {
		t.Errorf("the log: %s", said.String())
	}
	next.Write(t, filepath.Dir(files.Cert))
	c.reload() // the same as before
	counted(1, 1)
	authority.Issue(t, time.Now().Add(3*time.Hour)).Write(t, filepath.Dir(files.Cert))
	c.reload()
	counted(2, 1)
}

// Failed handshakes are counted, and a minute has a line for them at most; what else net/http says is logged.
func TestHandshakeLog(t *testing.T) {
	var said bytes.Buffer
	h := newHandshakeLog(slog.New(slog.NewTextHandler(&said, nil)))
	for range 50 {
		h.logger().Print("http: TLS handshake error from 192.0.2.1:1: EOF")
		h.logger().Print("http2: server: error reading preface from client 192.0.2.1:1: EOF")
	}
	h.logger().Print("http: something else")
	if n := testutil.ToFloat64(h.failed); n != 100 || strings.Count(said.String(), "\n") != 2 ||
		!strings.Contains(said.String(), "something else") {
		t.Errorf("%v failures, the log: %s", n, said.String())
	}
}
