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

// tree is a copy of the project's files, as they are in the working tree, committed or not.
type tree struct{ dir string }

// copyTree copies what git tracks or would track, with the times of its files, by which Go's
// cache knows them. The pages' packages are too many to copy: they are shared.
func copyTree(ctx context.Context, root string) (*tree, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the project's files: %w", err)
	}
	dir, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		err := copyFile(filepath.Join(root, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is deleted, and git doesn't know yet
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

// linkEntries makes a folder of links to what is in another, if that is there. @holdfast is left out: the tree builds
// it from its own sources.
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

// apply applies a patch, or with -R takes it back.
func (t *tree) apply(patch string, args ...string) error { return gitApply(t.dir, patch, args...) }

// gitApply applies a patch to the files below dir, whether that is a repository or lies in one. One line
// around each change has to be the same: more would make patches of whatever changes near by.
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
