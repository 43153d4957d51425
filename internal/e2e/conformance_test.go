package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// suite builds the conformance suite.
func (s *server) suite(t *testing.T) (run func(args ...string) (string, error)) {
	t.Helper()
	path := filepath.Join(s.folder, "conformance")
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "holdfast/conformance").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, path, append(args, "-header", "Authorization: Token "+s.token,
			s.base+"/tus/")...).CombinedOutput()
		return string(out), err
	}
}

// The conformance suite passes on the program: each MUST of tus 1.0.0 and of the versions of the IETF's protocol that
// it offers.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := start(t)
	out, err := s.suite(t)("-max", strconv.Itoa(24*mebi))
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(out, "failed       SHOULD") {
		t.Error("a SHOULD is not kept")
	}
}

// So it does where uploads expire soon.
func TestConformanceOfExpiry(t *testing.T) {
	t.Parallel()
	s := start(t, "UPLOAD_TTL=2s")
	out, err := s.suite(t)("-v", "-only", "tus.expiration.over", "-versions", "tus", "-wait", "1m")
	if err != nil || !strings.Contains(out, "passed       SHOULD  tus.expiration.over") {
		t.Errorf("%v: %s", err, out)
	}
}
