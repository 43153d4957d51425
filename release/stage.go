package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// stage returns the folder with the files of a Linux package.
func (r *release) stage(p platform) string { return filepath.Join(r.work, "stage", p.name()) }

// stageAll collects the files that packages and archives contain besides the program.
func (r *release) stageAll(ctx context.Context) error {
	docs := filepath.Join(r.work, "doc")
	if err := r.stageDocs(docs); err != nil {
		return err
	}
	for _, p := range r.linux() {
		folder := r.stage(p)
		if err := os.CopyFS(filepath.Join(folder, "doc"), os.DirFS(docs)); err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(folder, "share", "example"), os.DirFS(r.page())); err != nil {
			return err
		}
		if err := r.stageService(ctx, p); err != nil {
			return err
		}
		if err := r.stageCompletions(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// stageDocs copies the documents. They keep their folders, so that links between them work.
func (r *release) stageDocs(folder string) error {
	for _, pattern := range []string{"README.md", "CHANGELOG.md", "LICENSE", "docs/*.md", "docs/pictures/*",
		"docs/bench/*.svg"} {
		paths, err := fs.Glob(os.DirFS(r.source), pattern)
		if err != nil || len(paths) == 0 {
			return fmt.Errorf("%s: %d files %w", pattern, len(paths), err)
		}
		for _, path := range paths {
			b, err := r.read(path)
			if err != nil {
				return err
			}
			if err := write(filepath.Join(folder, path), b, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// stageService writes the program, its unit, its settings and the script for administrators.
func (r *release) stageService(ctx context.Context, p platform) error {
	source, err := r.read("deploy", "holdfast.service")
	if err != nil {
		return err
	}
	unit, err := packageUnit(string(source))
	if err != nil {
		return err
	}
	settings, err := r.settings(ctx, unit)
	if err != nil {
		return err
	}
	admin, err := r.read("release", "package", "holdfast-admin")
	if err != nil {
		return err
	}
	program, err := os.ReadFile(r.binary(p))
	if err != nil {
		return err
	}
	folder := r.stage(p)
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{{"holdfast", program, 0o755}, {"holdfast-admin", admin, 0o755}, {"holdfast.service", []byte(unit), 0o644},
		{"holdfast.env", []byte(settings), 0o600}} {
		if err := write(filepath.Join(folder, f.name), f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// stageCompletions writes what completes commands and flags in shells.
func (r *release) stageCompletions(ctx context.Context, p platform) error {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := output(r.holdfast(ctx, "completion", shell))
		if err != nil {
			return err
		}
		if err := write(filepath.Join(r.stage(p), "completion", shell), []byte(script), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// holdfast is a command of the program for this machine, or of go run if there is none.
func (r *release) holdfast(ctx context.Context, args ...string) *exec.Cmd {
	if _, err := os.Stat(r.binary(host())); err != nil {
		return command(ctx, r.source, "go", append([]string{"run", "."}, args...)...)
	}
	return command(ctx, r.source, r.binary(host()), args...)
}

// packageUnit derives the packages' unit from the one in deploy/, which is for manual installation: the program is in
// /usr/bin, and the user is one that the package creates, so that commands can be run as that user.
func packageUnit(unit string) (string, error) {
	_, unit, found := strings.Cut(unit, "[Unit]\n")
	if !found {
		return "", fmt.Errorf("no section [Unit]")
	}
	unit = "# Holdfast's own. `systemctl edit holdfast` adds to it; settings go into /etc/holdfast.env.\n\n[Unit]\n" + unit
	for _, change := range []struct{ old, new string }{
		{"/usr/local/bin/holdfast", "/usr/bin/holdfast"},
		{"/usr/local/share/doc/holdfast/", "/usr/share/doc/holdfast/docs/"},
		{"DynamicUser=yes\n", ""},
	} {
		if n := strings.Count(unit, change.old); n != 1 {
			return "", fmt.Errorf("%q is in the unit %d times", change.old, n)
		}
		unit = strings.Replace(unit, change.old, change.new, 1)
	}
	return unit, nil
}

var environment = regexp.MustCompile(`(?m)^Environment=(.*)$`)

// settings returns the settings file. If the unit sets a variable, the file shows that value as the default.
func (r *release) settings(ctx context.Context, unit string) (string, error) {
	text, err := output(r.holdfast(ctx, "settings", "--env-file"))
	if err != nil {
		return "", err
	}
	return settingsOf(text, unit)
}

func settingsOf(text, unit string) (string, error) {
	for _, line := range environment.FindAllStringSubmatch(unit, -1) {
		for _, set := range strings.Fields(line[1]) {
			name, _, _ := strings.Cut(set, "=")
			shown := regexp.MustCompile(`(?m)^#` + name + `=.*$`)
			if n := len(shown.FindAllString(text, -1)); n != 1 {
				return "", fmt.Errorf("%s is in the settings file %d times", name, n)
			}
			text = shown.ReplaceAllLiteralString(text, "#"+set)
		}
	}
	return "# Read by systemd when the service starts, and by holdfast-admin: `systemctl restart holdfast` applies " +
		"changes.\n" +
		text + "\n", nil
}

// write writes a file and makes its folder.
func write(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // whatever the umask
}
