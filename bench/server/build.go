// Package server builds and starts the servers of the benchmark and their store, on loopback: versitygw, tusd and
// Holdfast with their default settings, and nginx.
package server

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Program is a built program.
type Program struct {
	Path    string
	Version string
	SDK     string // version of the AWS SDK in it, if any
}

// Versitygw builds the S3 store in the version that go.mod names.
func Versitygw(ctx context.Context) (Program, error) {
	const module = "github.com/versity/versitygw"
	return tool(ctx, module, module+"/cmd/versitygw", "go.mod")
}

// Tusd builds tusd. It has a go.mod of its own, tusd.mod: with the benchmark's it would get newer libraries than it
// was released with.
func Tusd(ctx context.Context) (Program, error) {
	const module = "github.com/tus/tusd/v2"
	return tool(ctx, module, module+"/cmd/tusd", "tusd.mod")
}

// Holdfast builds the service into folder from the source in what, unless what is a program. overlay may name a file
// for the compiler's -overlay.
func Holdfast(ctx context.Context, what, folder, overlay string) (Program, error) {
	info, err := os.Stat(what)
	if err != nil {
		return Program{}, fmt.Errorf("find Holdfast: %w", err)
	}
	if !info.IsDir() {
		path, err := filepath.Abs(what)
		if err != nil {
			return Program{}, fmt.Errorf("find Holdfast: %w", err)
		}
		return inspect(path, "", filepath.Base(what))
	}
	path := filepath.Join(folder, "holdfast")
	args := []string{"build", "-trimpath", "-o", path}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if err := compile(ctx, what, append(args, ".")...); err != nil {
		return Program{}, fmt.Errorf("build Holdfast: %w", err)
	}
	return inspect(path, "", commit(ctx, what))
}

// commit returns the commit of the source, if there is one.
func commit(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	cmd.Dir = dir
	// git must not touch the index: somebody may be working in the same folder.
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// tool builds a command of a module in the version that a mod file here pins.
func tool(ctx context.Context, module, command, modfile string) (Program, error) {
	name := filepath.Base(command)
	key, err := fingerprint(modfile, strings.TrimSuffix(modfile, ".mod")+".sum")
	var path string
	if err == nil {
		path, err = cached(name+"-"+key, func(half string) error {
			return compile(ctx, ".", "build", "-modfile", modfile, "-o", half, command)
		})
	}
	if err != nil {
		return Program{}, fmt.Errorf("build %s: %w", name, err)
	}
	return inspect(path, module, "")
}

// cached returns the path of something in the user's cache folder. What is not there is made, since that takes a
// minute or two.
func cached(name string, build func(path string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "holdfast-bench")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// If two benchmarks run at once, one builds and the other waits. The kernel releases the lock of a process that
	// dies.
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	fmt.Fprintf(os.Stderr, "making %s: this takes a minute or two, the first time\n", name)
	// Renamed only when it is complete: a build that is killed leaves nothing incomplete.
	half := path + ".half"
	err = errors.Join(os.RemoveAll(half), build(half))
	if err == nil {
		err = os.Rename(half, path)
	}
	return path, err
}

// fingerprint returns a hash of everything that may change what is built: the compiler, and these files.
func fingerprint(files ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), noCgo)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s is not here: run the benchmark in its own folder", name)
		} else if err != nil {
			return "", err
		}
		h.Write(text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// inspect reads the versions in a program.
func inspect(path, module, version string) (Program, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return Program{}, fmt.Errorf("read the versions in %s: %w", path, err)
	}
	p := Program{Path: path, Version: version}
	if info.Main.Path == module {
		p.Version = info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/aws/aws-sdk-go-v2" {
			p.SDK = d.Version
		}
	}
	return p, nil
}

// noCgo builds programs without C, as they are released.
const noCgo = "CGO_ENABLED=0"

func compile(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), noCgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
