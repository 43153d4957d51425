package e2e

import (
	"os"
	"path"
	"path/filepath"
	"testing"
)

// stored finds a file of the embedded store.
func (s *server) stored(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.data, "store/buckets/*", pattern))
	if err != nil || len(found) != 1 {
		t.Fatal(pattern, found, err)
	}
	return found[0]
}

// Unfinished uploads of which the embedded store has lost bytes: reconcile names them and ends them. Those that it has
// not seen end with the next request of their clients, who hear why.
func TestLostUploads(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(9 * mebi)
	begun := func() string {
		t.Helper()
		url := s.create(t, len(content))
		if a := s.patch(t, url, 0, content[:8*mebi+100]); a.status != 204 {
			t.Fatal(a)
		}
		return path.Base(url)
	}
	part, tail, seen := begun(), "", ""
	if err := os.Truncate(s.stored(t, "parts/*/*"), 50); err != nil {
		t.Fatal(err)
	}
	tail, seen = begun(), begun()
	for _, id := range []string{tail, seen} {
		if err := os.Remove(s.stored(t, "objects/*/*"+id+"*")); err != nil {
			t.Fatal(err)
		}
	}
	s.stop()
	found, clean := s.reconcile(t)
	want := map[string]string{"damaged-part " + part: "", "upload-without-tail " + tail: "",
		"upload-without-tail " + seen: ""}
	for what := range want {
		if done, is := found[what]; clean || !is || done != "" {
			t.Errorf("%s: %v", what, found)
		}
	}
	s.launch()
	if a := s.patch(t, "/files/tus/"+seen, 8*mebi+100, content[8*mebi+100:]); a.status != 410 || a.code() != "UPLOAD_014" {
		t.Errorf("PATCH: %v", a)
	}
	if a := s.do(t, "HEAD", "/files/tus/"+seen, nil); a.status != 404 {
		t.Errorf("HEAD afterwards: %v", a)
	}
	if n := s.metric("holdfast_uploads_lost_total"); n != 1 {
		t.Errorf("the metric says %v", n)
	}
	s.stop()
	if found, _ := s.reconcile(t, "--fix"); found["damaged-part "+part] != "upload ended" ||
		found["upload-without-tail "+tail] != "upload ended" {
		t.Errorf("with --fix: %v", found)
	}
	if found, clean := s.reconcile(t, "--deep"); !clean {
		t.Errorf("afterwards: %v", found)
	}
}
