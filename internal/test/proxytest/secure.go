package proxytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/internal/test/testproc"
	"holdfast/internal/test/tlstest"
)

// Caddy starts Caddy, which speaks TLS on a loopback port with this certificate, in front of a program. It waits until
// the program answers through it, and ends with the test. The returned string is the path of Caddy's log.
func Caddy(t testing.TB, port, upstream int, pair tlstest.Pair) (log string) {
	t.Helper()
	admin, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	site := fmt.Sprintf("https://127.0.0.1:%d", port)
	folder, path := folder(t, "Caddyfile", deployed(t, "caddy/Caddyfile", map[string]string{
		"\nfiles.example.com {": fmt.Sprintf("\n%s {\n\tbind 127.0.0.1\n\ttls tls.crt tls.key", site),
		// Caddy would listen on port 80, too.
		"\n\tservers {":    "\n\tauto_https disable_redirects\n\tdefault_sni 127.0.0.1\n\tservers {",
		"to holdfast:8000": fmt.Sprintf("to 127.0.0.1:%d", upstream),
	}))
	pair.Write(t, folder)
	cmd := command(t, "caddy", "run", "--config", path, "--adapter", "caddyfile")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "XDG_DATA_HOME=" + folder,
		"XDG_CONFIG_HOME=" + folder, fmt.Sprintf("CADDY_ADMIN=127.0.0.1:%d", admin)}
	return run(t, cmd, folder, site+"/healthz")
}

// HAProxy is Caddy for HAProxy.
func HAProxy(t testing.TB, port, upstream int, pair tlstest.Pair) (log string) {
	t.Helper()
	plain, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	folder, path := folder(t, "haproxy.cfg", deployed(t, "haproxy/haproxy.cfg", map[string]string{
		"bind :80\n":            fmt.Sprintf("bind 127.0.0.1:%d\n", plain),
		"bind :443 ssl":         fmt.Sprintf("bind 127.0.0.1:%d ssl", port),
		"/etc/haproxy/holdfast": "holdfast",
		"holdfast:8000":         fmt.Sprintf("127.0.0.1:%d", upstream),
	}))
	both := slices.Concat(pair.Cert, pair.Key)
	if err := os.WriteFile(filepath.Join(folder, "holdfast.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "haproxy", "-db", "-f", path)
	return run(t, cmd, folder, fmt.Sprintf("https://127.0.0.1:%d/healthz", port))
}
