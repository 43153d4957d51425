package s3test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast/internal/filelock"
)

const (
	command = "github.com/versity/versitygw/cmd/versitygw"
	module  = "internal/test/s3server" // below the main module
)

// buildTimeout is how long another process may build, on a slow machine.
const buildTimeout = 30 * time.Minute

// start is the working directory at the start of the test, within the module.
var start, startErr = os.Getwd()

// build returns the path of the built command, from the cache if it is there. A process looks once: most of its tests
// start a server.
var build = sync.OnceValues(func() (string, error) {
	main, err := goOutput(start, "env", "GOMOD")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(main), filepath.FromSlash(module))
	// The cache's key has both versions: another version of Go builds another program.
	version, err := goOutput(dir, "list", "-m", "-f", "{{.Version}}", "github.com/versity/versitygw")
	if err != nil {
		return "", err
	}
	compiler, err := goOutput(dir, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	folder := filepath.Join(cache, "holdfast-test")
	binary := filepath.Join(folder, "versitygw-"+version+"-"+compiler)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Several test processes may run this at the same time: one builds, the others wait for it.
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	unlock, err := filelock.Wait(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil || !errors.Is(err, os.ErrNotExist) {
		return binary, err
	}
	// Renamed only when it is complete: a build that is killed leaves no incomplete program.
	half := binary + ".half"
	if _, err := goOutput(dir, "build", "-ldflags=-s -w", "-o", half, command); err != nil {
		return "", err
	}
	return binary, os.Rename(half, binary)
})

// goOutput runs the go command in a folder.
func goOutput(dir string, args ...string) (string, error) {
	if startErr != nil {
		return "", startErr
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	// CGO_ENABLED=0 as in `make build`: Go's build cache then has most of it already.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
}
