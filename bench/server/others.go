package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"holdfast/bench/store"
	"holdfast/bench/tus"
)

// Node installs @tus/server with its S3 store, in the versions that peers/node/package-lock.json pins, and returns its
// program. Node and npm must be installed.
func Node(ctx context.Context) (Program, error) {
	p, err := installed(ctx, "peers/node", "node", []string{"package.json", "package-lock.json", "server.mjs"},
		[][]string{{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"}})
	p.Version = pinned(filepath.Join(p.Path, "package.json"), `"@tus/server": "`, `"`)
	return p, err
}

// Python installs FastAPI and aioboto3, in the versions that peers/python/requirements.txt pins, and returns the
// service written for this benchmark. Python 3.11 or newer must be installed.
func Python(ctx context.Context) (Program, error) {
	p, err := installed(ctx, "peers/python", "python", []string{"requirements.txt", "app.py"},
		[][]string{{"python3", "-m", "venv", "venv"},
			{"venv/bin/python", "-m", "pip", "install", "--quiet", "-r", "requirements.txt"}})
	p.Version = pinned(filepath.Join(p.Path, "requirements.txt"), "fastapi==", "\n")
	return p, err
}

// installed copies the files of a peer into the user's cache folder and runs commands there.
func installed(ctx context.Context, source, name string, files []string, commands [][]string) (Program, error) {
	fail := func(err error) (Program, error) { return Program{}, fmt.Errorf("install %s: %w", name, err) }
	var paths []string
	for _, f := range files {
		paths = append(paths, filepath.Join(source, f))
	}
	key, err := fingerprint(paths...)
	if err != nil {
		return fail(err)
	}
	path, err := cached(name+"-"+key, func(half string) error {
		if err := os.MkdirAll(half, 0o755); err != nil {
			return err
		}
		for i, from := range paths {
			if err := copyFile(from, filepath.Join(half, files[i])); err != nil {
				return err
			}
		}
		for _, c := range commands {
			cmd := exec.CommandContext(ctx, c[0], c[1:]...)
			cmd.Dir = half
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", strings.Join(c, " "), err, out)
			}
		}
		return nil
	})
	if err != nil {
		return fail(err)
	}
	return Program{Path: path}, nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// pinned returns the text between two others in a file; "unknown" if it is not there.
func pinned(path, before, after string) string {
	text, _ := os.ReadFile(path)
	_, rest, found := strings.Cut(string(text), before)
	version, _, ended := strings.Cut(rest, after)
	if !found || !ended {
		return "unknown"
	}
	return version
}

// StartNode starts @tus/server over the store at, with its default settings.
func StartNode(ctx context.Context, p Program, at store.Access, dir string) (*Server, error) {
	return startOther(ctx, "node", at, dir, `(?m)^uploads at (http://\S+)$`, exec.Command("node",
		filepath.Join(p.Path, "server.mjs")))
}

// StartPython starts the Python service over the store at, in one process: its state is in memory.
func StartPython(ctx context.Context, p Program, at store.Access, dir string) (*Server, error) {
	cmd := exec.Command(filepath.Join(p.Path, "venv/bin/python"), "-m", "uvicorn", "--app-dir", p.Path, "--host",
		"127.0.0.1", "--port", "0", "app:app")
	return startOther(ctx, "python", at, dir, `running on (http://\S+)`, cmd)
}

// startOther starts a tus server below /files that takes its settings from the environment.
func startOther(ctx context.Context, name string, at store.Access, dir, pattern string, cmd *exec.Cmd) (*Server,
	error) {
	dir, err := subfolders(dir, name, "run", "tmp")
	if err != nil {
		return nil, err
	}
	if err := store.New(at).CreateBucket(ctx, name); err != nil {
		return nil, err
	}
	temp := filepath.Join(dir, "tmp")
	cmd.Dir = filepath.Join(dir, "run")
	cmd.Env = environment(temp, "BUCKET="+name, "ENDPOINT="+at.Endpoint, "REGION="+at.Region, "ACCESS_KEY="+at.AccessKey,
		"SECRET_KEY="+at.SecretKey)
	s, address, err := start(ctx, cmd, dir, temp, pattern, name)
	if err != nil {
		return nil, err
	}
	s.Endpoint, err = tus.NewEndpoint(strings.TrimSuffix(address, "/files")+"/files", "")
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}
