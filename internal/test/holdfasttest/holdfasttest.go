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
	"sync"
	"testing"

	"holdfast/internal/filelock"
	"holdfast/internal/test/testproc"
)

// RaceSettings is the variable of the environment for a program with the race detector. scripts/race.sh says why.
const RaceSettings = "GORACE=atexit_sleep_ms=0 clear_shadow_mmap_threshold=1073741824"

// upToDate has the paths of shared programs that this process has built: to find out that there is nothing to do takes
// the go command half a second.
var upToDate sync.Map

// Build puts the program into folder, built as by `make build` or with the race detector, and returns its path.
func Build(ctx context.Context, folder string, race bool) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("holdfasttest: %w", err)
		}
	}()
	root, err := module()
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache", "test")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	shared := filepath.Join(cache, "holdfast")
	if race {
		shared += "-race"
	}
	unlock, err := filelock.Wait(ctx, shared+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, is := upToDate.Load(shared); !is {
		if err := goBuild(ctx, root, shared, race); err != nil {
			return "", err
		}
		upToDate.Store(shared, true)
	}
	path = filepath.Join(folder, "holdfast")
	return path, link(shared, path)
}

// goBuild brings a shared program up to date.
func goBuild(ctx context.Context, root, shared string, race bool) error {
	cgo, args := "CGO_ENABLED=0", []string{"build"}
	if race {
		// SQLite itself, which is translated C, is compiled without the detector. The flags are those of
		// scripts/race.sh: with others Go would compile all libraries a second time.
		cgo, args = "CGO_ENABLED=1", append(args, "-race", "-ldflags=-w") // nobody debugs it
		for _, library := range []string{"sqlite/lib", "libc/...", "memory"} {
			args = append(args, "-gcflags=modernc.org/"+library+"=-race=false")
		}
	} else if _, err := os.Stat(shared); errors.Is(err, os.ErrNotExist) {
		// That of `make build` may be as good. If it is not, or not there, it is linked.
		_ = copyFile(filepath.Join(root, "holdfast"), shared)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", shared, "holdfast")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
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
var module = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
})

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
