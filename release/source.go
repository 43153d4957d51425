package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// command prepares a program in a folder. Its output is shown if it fails.
func command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	return cmd
}

// output runs a command and returns its standard output without the final newline.
func output(cmd *exec.Cmd) (string, error) {
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, errs.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// cloneSource clones the commit that is checked out and tags it in the clone, so that Go records the version by
// itself. The repository itself gets no tag.
func (r *release) cloneSource(ctx context.Context) error {
	root, err := output(command(ctx, "", "git", "rev-parse", "--show-toplevel"))
	if err != nil {
		return err
	}
	if changed, err := output(command(ctx, root, "git", "status", "--porcelain")); err != nil {
		return err
	} else if changed != "" {
		log.Printf("Not committed, so no part of the release:\n%s", changed)
	}
	r.source = filepath.Join(r.work, "source")
	tag := "v" + r.version
	if _, err := output(command(ctx, "", "git", "clone", "--quiet", "--shared", root, r.source)); err != nil {
		return err
	}
	if r.commit, err = output(command(ctx, r.source, "git", "rev-parse", "HEAD")); err != nil {
		return err
	}
	if _, err := output(command(ctx, r.source, "git", "tag", tag)); err != nil {
		// The version was tagged before: the tag must be this commit.
		tagged, err := output(command(ctx, r.source, "git", "rev-parse", tag+"^{commit}"))
		if err != nil {
			return err
		}
		if tagged != r.commit {
			return fmt.Errorf("%s is commit %s, and %s is checked out", tag, tagged, r.commit)
		}
	}
	seconds, err := output(command(ctx, r.source, "git", "log", "-1", "--format=%ct"))
	if err != nil {
		return err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	r.time = time.Unix(unix, 0).UTC()
	return nil
}

// buildPage builds the example page in the clone.
func (r *release) buildPage(ctx context.Context) error {
	_, err := output(command(ctx, r.source, filepath.Join("scripts", "page.sh")))
	return err
}

// page returns the folder of the built page.
func (r *release) page() string { return filepath.Join(r.source, "web-example", "dist") }

// read returns a file of the source.
func (r *release) read(path ...string) ([]byte, error) {
	return os.ReadFile(filepath.Join(append([]string{r.source}, path...)...))
}
