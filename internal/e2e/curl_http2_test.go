package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// curl with HTTP/2: a creation with all bytes, a plain form, a refusal in the middle of a body, a download, and a
// resumed download.
func TestCurlByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	content := random(20*mebi + 3)
	sent, got := filepath.Join(s.folder, "sent"), filepath.Join(s.folder, "got")
	if err := os.WriteFile(sent, content, 0o600); err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("curl", append([]string{"-sS", "--http2", "--cacert", s.authority.Path, "-H",
			"Authorization: Bearer " + s.token, "-w", "\n%{http_version} %{http_code}"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	out := curl("-i", "--data-binary", "@"+sent, "-H", "Content-Type: image/png", "-H", "Upload-Complete: ?1", "-H",
		"Upload-Draft-Interop-Version: 8",
		s.base+"/tus/")
	if !strings.HasSuffix(out, "\n2 201") || !strings.Contains(out, "HTTP/2 104") {
		t.Errorf("a creation: %s", out)
	}
	out = curl("-F", "file=@"+sent, s.base+"/upload")
	if !strings.HasSuffix(out, "\n2 200") {
		t.Fatalf("a form: %s", out)
	}
	_, url, _ := strings.Cut(out, `"public_url":"`)
	url, _, _ = strings.Cut(url, `"`)
	for range 5 {
		out := curl("-T", sent, "-X", "POST", "-H", "Content-Encoding: gzip", s.base+"/upload")
		if !strings.HasSuffix(out, "\n2 415") || !strings.Contains(out, `"code"`) {
			t.Errorf("a refusal: %s", out)
		}
	}
	if out := curl("-r", "0-4999999", "-o", got, url); !strings.HasSuffix(out, "\n2 206") {
		t.Errorf("a range: %s", out)
	}
	if out := curl("-C", "-", "-o", got, url); !strings.HasSuffix(out, "\n2 206") {
		t.Errorf("the rest: %s", out)
	}
	if b, err := os.ReadFile(got); err != nil || string(b) != string(content) {
		t.Errorf("the file: %d bytes, %v", len(b), err)
	}
}

// holdfast upload and holdfast download trust the certificates in SSL_CERT_FILE, and speak TLS, too.
func TestCommandsByTLS(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	content := random(20*mebi + 3)
	sent := filepath.Join(s.folder, "sent.bin")
	if err := os.WriteFile(sent, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "SSL_CERT_FILE="+s.authority.Path, "HOLDFAST_URL="+s.base, "HOLDFAST_TOKEN="+s.token)
	url := strings.TrimSpace(s.stdout(t, "upload", sent))
	s.holds(t, url, content)
	to := filepath.Join(s.folder, "to")
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSpace(s.stdout(t, "download", "-o", to, url))
	if b, err := os.ReadFile(path); err != nil || string(b) != string(content) {
		t.Errorf("%s: %d bytes, %v", path, len(b), err)
	}
}

// stdout returns the output of a command.
func (s *server) stdout(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.command(args...).Output()
	if err != nil {
		t.Fatalf("holdfast %v: %v", args, err)
	}
	return string(out)
}
