package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tree is a copy of the project's working tree, committed or not.
type tree struct {
	dir   string
	flags string // GOFLAGS
}

// shareCompiled returns GOFLAGS with which Go compiles our packages once for all trees and runs: without the paths of
// their folders, which differ.
func shareCompiled(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOFLAGS").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOFLAGS: %w", err)
	}
	return strings.TrimSpace(strings.TrimSpace(string(out)) + " -trimpath"), nil
}

// copyTree copies the files that git tracks or would track, with their times, which Go's cache uses. The pages' npm
// packages are too many to copy: they are shared.
func copyTree(ctx context.Context, root string) (*tree, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the project's files: %w", err)
	}
	flags, err := shareCompiled(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return nil, err
	}
	t := &tree{dir, flags}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		err := copyFile(filepath.Join(root, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a deleted file that git still tracks
			t.remove()
			return nil, fmt.Errorf("copy %s: %w", name, err)
		}
	}
	for _, modules := range []string{"clients/js/node_modules", "web-example/node_modules"} {
		if err := linkEntries(filepath.Join(root, modules), filepath.Join(dir, modules)); err != nil {
			t.remove()
			return nil, err
		}
	}
	return t, nil
}

// linkEntries makes a folder of links to the entries of another, if that exists. @holdfast is left out: the tree
// builds it from its own sources.
func linkEntries(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.MkdirAll(to, 0o755)
	}
	for _, entry := range entries {
		if err == nil && entry.Name() != "@holdfast" {
			err = os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name()))
		}
	}
	return err
}

func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, b, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func (t *tree) remove() { _ = os.RemoveAll(t.dir) }

// apply applies a patch, or with -R reverts it.
func (t *tree) apply(patch string, args ...string) error { return gitApply(t.dir, patch, args...) }

// gitApply applies a patch to the files below dir, which may be in a repository or be one. One line around each change
// has to match: with more, patches would break with any change nearby.
func gitApply(dir, patch string, args ...string) error {
	cmd := exec.Command("git", append([]string{"apply", "--whitespace=nowarn", "-C1"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	cmd.Stdin = strings.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return nil
}
