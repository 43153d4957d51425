package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// suite builds the conformance suite.
func (s *server) suite(t *testing.T) (run func(args ...string) (string, error)) {
	t.Helper()
	path := filepath.Join(s.folder, "conformance")
	ctx, cancel := context.WithTimeout(t.Context(), 15*patience) // ends what hangs
	t.Cleanup(cancel)
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path,
		"holdfast/conformance").CombinedOutput(); err != nil {
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
	run := s.suite(t)
	// The suite mostly waits, so three go over the versions side by side.
	parts := []string{"tus,3,4,5,6,7", "8,9", "10,final"}
	if help, _ := run("-h"); !strings.Contains(help, `default "`+strings.Join(parts, ",")+`"`) {
		t.Errorf("these are not all versions: %s", help)
	}
	outputs := make([]string, len(parts))
	var group sync.WaitGroup
	for i, versions := range parts {
		group.Go(func() {
			var err error
			if outputs[i], err = run("-max", strconv.Itoa(24*mebi), "-versions", versions); err != nil {
				t.Errorf("versions %s: %v", versions, err)
			}
		})
	}
	group.Wait()
	out := strings.Join(outputs, "")
	t.Logf("%s", out)
	if strings.Contains(out, "failed       SHOULD") {
		t.Error("a SHOULD is not kept")
	}
	told, err := os.ReadFile("../../docs/PROTOCOLS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^(tus|IETF.*?\S)(?: 1.0.0)? {2,}(\d+) +0 +0 +(\d+) +(\d+)$`).FindAllStringSubmatch(out,
		-1)
	for _, r := range rows {
		name := strings.Replace(r[1], "tus", "tus 1.0.0", 1)
		if row := "| " + name + " | " + inWords(r[2], r[3], r[4]) + " |"; !strings.Contains(string(told), row) {
			t.Errorf("docs/PROTOCOLS.md has no %q", row)
		}
	}
	if len(rows) != 10 {
		t.Errorf("%d protocols", len(rows))
	}
}

// inWords writes counts of the suite as docs/PROTOCOLS.md has them.
func inWords(passed, may, notOffered string) string {
	text := passed + " passed"
	if may != "0" {
		text += ", " + may + " MAY"
	}
	if notOffered != "0" {
		text += "; " + notOffered + " not offered"
	}
	return text
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
