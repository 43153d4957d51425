package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/test/badline"
)

// Common download tools resume by themselves over a line that breaks again and again.
func TestDownloadTools(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	// The line between clients and the service: no connection carries more than 6 MB.
	line := badline.New(t, fmt.Sprintf("127.0.0.1:%d", s.port))
	s.launch()
	content := random(40_000_000)
	file, _ := s.upload(t, content)
	file = strings.Replace(file, fmt.Sprintf("127.0.0.1:%d", s.port), line.Addr(), 1)
	line.Spoil(badline.Down, badline.Fault{Limit: 6_000_000})

	bearer := "Authorization: Bearer " + s.token
	for _, c := range []struct {
		name    string
		command []string
		repeat  int // how often the tool has to be called; 1: it goes on by itself
	}{
		{"curl -C -", []string{"curl", "-fsS", "-C", "-", "-H", bearer, "-o", "out", file}, 7},
		{"wget -c", []string{"wget", "-q", "-c", "--tries=20", "--waitretry=1", "--header", bearer, "-O", "out", file}, 1},
		{"aria2c -x 8", []string{"aria2c", "-q", "-c", "-x", "8", "-s", "8", "-k", "1M", "--max-tries=0", "--retry-wait=1",
			"--no-conf",
			"--file-allocation=none", "--header", bearer, "-o", "out", file}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for i := 1; ; i++ {
				cmd := exec.CommandContext(t.Context(), c.command[0], c.command[1:]...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err == nil {
					if i < c.repeat {
						t.Errorf("done at call %d: the line did not break", i)
					}
					break
				}
				if i == c.repeat {
					t.Fatalf("call %d: %v\n%s", i, err, out)
				}
				if part, _ := os.ReadFile(filepath.Join(dir, "out")); !bytes.HasPrefix(content, part) {
					t.Fatalf("call %d left other bytes", i)
				}
			}
			got, err := os.ReadFile(filepath.Join(dir, "out"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes came, of %d, or others (%v)", len(got), len(content), err)
			}
		})
	}
	t.Run("curl -r", func(t *testing.T) {
		for r, want := range map[string][]byte{"0-99": content[:100], "5000000-5999999": content[5_000_000:6_000_000],
			"-7":        content[len(content)-7:],
			"39999990-": content[39_999_990:]} {
			got, err := exec.CommandContext(t.Context(), "curl", "-fsS", "-r", r, "-H", bearer, file).Output()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v", r, len(got), err)
			}
		}
	})
}
