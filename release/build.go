package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// platform is an operating system and a processor, by Go's names.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// name returns the platform as it appears in names of files.
func (p platform) name() string { return p.os + "_" + p.arch }

// platforms are those that a release has programs for. Packages and images are for Linux; the program for Windows is
// the client alone.
func platforms() []platform {
	return []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
		{"windows", "amd64"}}
}

// program returns the program's file name.
func (p platform) program() string {
	if p.os == "windows" {
		return "holdfast.exe"
	}
	return "holdfast"
}

// linux returns the chosen platforms for which packages and images are made.
func (r *release) linux() (chosen []platform) {
	for _, p := range r.platforms {
		if p.os == "linux" {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

func host() platform { return platform{runtime.GOOS, runtime.GOARCH} }

// binary returns the path of the built program.
func (r *release) binary(p platform) string {
	return filepath.Join(r.work, "bin", p.name(), p.program())
}

// buildPrograms builds the program for every platform: static, without debug information, and without the paths of
// this machine. All of Go's flags are given here, so that those of the environment change nothing.
func (r *release) buildPrograms(ctx context.Context) error {
	for _, p := range r.platforms {
		if err := r.build(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return r.checkVersion(ctx)
}

func (r *release) build(ctx context.Context, p platform) error {
	cmd := command(ctx, r.source, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", r.binary(p), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1",
		"GOARM64=v8.0", "GOEXPERIMENT=", "GODEBUG=", "GOWORK=off")
	if r.fresh && p == host() {
		cmd.Env = append(cmd.Env, "GOCACHE="+filepath.Join(r.work, "empty-cache"))
	}
	_, err := output(cmd)
	return err
}

// checkVersion runs the program for this platform, if it was built, and compares its version.
func (r *release) checkVersion(ctx context.Context) error {
	path := r.binary(host())
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	said, err := output(command(ctx, "", path, "version"))
	if err != nil {
		return err
	}
	if want := "holdfast " + r.version + " (commit " + r.commit + ", "; !strings.HasPrefix(said, want) {
		return fmt.Errorf("the program says %q, not %q", said, want+"...")
	}
	return nil
}
