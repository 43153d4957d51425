// Package holdfasttest gives tests the real program. Linking it takes some ten seconds of a processor, so all test
// processes share the result of one `go build` in .cache/test of the repository; `go build` itself checks whether
// it is up to date.
package holdfasttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/filelock"
	"holdfast/internal/test/testproc"
)

// RaceSettings is the variable of the environment for a program with the race detector. scripts/race.sh says why.
const RaceSettings = "GORACE=atexit_sleep_ms=0 clear_shadow_mmap_threshold=1073741824"

// Build puts the program into folder, built as by `make build` or with the race detector, and returns its path.
func Build(ctx context.Context, folder string, race bool) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("holdfasttest: %w", err)
		}
	}()
	root, err := module(ctx)
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache", "test")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	name, cgo, flags := "holdfast", "CGO_ENABLED=0", []string{}
	if race {
		// SQLite itself, which is translated C, is compiled without the detector. The flags are those of
		// scripts/race.sh: with others Go would compile all libraries a second time.
		name, cgo, flags = "holdfast-race", "CGO_ENABLED=1", []string{"-race", "-ldflags=-w"} // nobody debugs it
		for _, library := range []string{"sqlite/lib", "libc/...", "memory"} {
			flags = append(flags, "-gcflags=modernc.org/"+library+"=-race=false")
		}
	}
	shared := filepath.Join(cache, name)
	unlock, err := filelock.Wait(ctx, shared+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(shared); !race && errors.Is(err, os.ErrNotExist) {
		// That of `make build` may be as good. If it is not, or not there, it is linked.
		_ = copyFile(filepath.Join(root, "holdfast"), shared)
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", shared, "holdfast")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	path = filepath.Join(folder, "holdfast")
	return path, link(shared, path)
}

// Plain is Build without the race detector, for one test.
func Plain(t testing.TB) string {
	t.Helper()
	path, err := Build(t.Context(), testproc.TempFolder(t, "holdfast-bin"), false)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// module returns the folder of the repository.
func module(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// link gives the shared program a second name, or copies it to another file system: the next build replaces the
// shared one.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	program, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(program, source)
	return errors.Join(err, program.Close())
}
