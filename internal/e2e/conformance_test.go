package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
)

// The conformance suite passes on the program: each MUST of tus 1.0.0 and of the versions of the IETF's protocol that
// it offers.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := start(t)
	suite := filepath.Join(s.folder, "conformance")
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", suite,
		"holdfast/conformance").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, suite, "-header", "Authorization: Token "+s.token,
		s.base+"/tus/").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
