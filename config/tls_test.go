package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// A certificate and its key are set together, or not at all.
func TestTLS(t *testing.T) {
	cert, err := filepath.Abs("a/tls.crt")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(env("TLS_CERT=a/tls.crt", "TLS_KEY=/b/tls.key"))
	if want := (TLS{Cert: cert, Key: "/b/tls.key"}); err != nil || c.TLS != want || !c.TLS.On() ||
		c.TLS.Scheme() != "https" {
		t.Errorf("%v %v", c.TLS, err)
	}
	if c, err := Load(env()); err != nil || c.TLS.On() || c.TLS.Scheme() != "http" {
		t.Errorf("without: %v %v", c.TLS, err)
	}
	for _, pair := range [][2]string{{"TLS_CERT", "TLS_KEY"}, {"TLS_KEY", "TLS_CERT"}} {
		_, err := Load(env(pair[0] + "=x"))
		if err == nil || !strings.Contains(err.Error(), pair[1]+" is needed with "+pair[0]) {
			t.Errorf("%s alone: %v", pair[0], err)
		}
	}
}
