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

	"holdfast/internal/filelock"
)

// tree is a copy of the project's working tree, committed or not.
type tree struct {
	dir    string
	unlock func()
}

// newTree returns an empty tree. Its folder is one that earlier runs had, too: Go compiles our packages again where
// their folder is another one.
func newTree() (*tree, error) {
	caches, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a folder for a copy of the project: %w", err)
	}
	if err := os.MkdirAll(caches, 0o755); err != nil {
		return nil, err
	}
	for i := 1; ; i++ {
		dir := filepath.Join(caches, fmt.Sprintf("holdfast-mutants-%d", i))
		unlock, err := filelock.Try(dir + ".lock")
		if errors.Is(err, filelock.ErrHeld) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t := &tree{dir, unlock}
		if err := os.RemoveAll(dir); err != nil { // of a run that was killed
			unlock()
			return nil, err
		}
		return t, nil
	}
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
	t, err := newTree()
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		err := copyFile(filepath.Join(root, name), filepath.Join(t.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a deleted file that git still tracks
			t.remove()
			return nil, fmt.Errorf("copy %s: %w", name, err)
		}
	}
	for _, modules := range []string{"clients/js/node_modules", "web-example/node_modules"} {
		if err := linkEntries(filepath.Join(root, modules), filepath.Join(t.dir, modules)); err != nil {
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

func (t *tree) remove() {
	_ = os.RemoveAll(t.dir)
	t.unlock()
}

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
