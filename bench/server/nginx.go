package server

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"holdfast/bench/proc"
	"holdfast/bench/store"
	"holdfast/bench/tempbytes"
	"holdfast/bench/tus"
)

// Nginx finds the installed nginx.
func Nginx(ctx context.Context) (Program, error) {
	return nginxOr(ctx, "/usr/sbin/nginx") // Debian's path, which is not in a user's PATH
}

// nginxOr finds nginx in PATH, or else at there.
func nginxOr(ctx context.Context, there string) (Program, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = there
	}
	if _, err := os.Stat(path); err != nil {
		return Program{}, fmt.Errorf("nginx is not installed (Debian: apt-get install nginx): %w", err)
	}
	out, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("ask nginx for its version: %w\n%s", err, out)
	}
	m := regexp.MustCompile(`nginx/(\S+)`).FindSubmatch(out)
	if m == nil {
		return Program{}, fmt.Errorf("ask nginx for its version: unknown form %q", out)
	}
	return Program{Path: path, Version: string(m[1])}, nil
}

// Permission builds nginx's permission service into folder.
func Permission(ctx context.Context, folder string) (Program, error) {
	path := filepath.Join(folder, "permission")
	if err := compile(ctx, ".", "build", "-o", path, "holdfast/bench/permission"); err != nil {
		return Program{}, fmt.Errorf("build the permission service: %w", err)
	}
	return Program{Path: path}, nil
}

// nginxConf is a template of nginx's configuration.
//
//go:embed nginx.conf
var nginxConf string

// nginxSettings are the values in nginxConf: addresses without a scheme, and paths.
type nginxSettings struct {
	Workers                                  int
	Listen, Ready, Store, Permission, Object string
	Files                                    string // the folder that is served if there is no Store
	Root                                     bool   // the workers must remain root to read it
}

// signedFor is longer than any run may take.
const signedFor = 24 * time.Hour

// StartNginx starts nginx in front of the store at, and the permission service that it asks. It has no uploads: it
// serves the object named Object of its bucket, which others put there. Without a store that is a file.
func StartNginx(ctx context.Context, nginx, permission Program, at store.Access, dir string) (s *Server, err error) {
	dir, err = subfolders(dir, "nginx", "run/tmp", "permission", "files")
	if err != nil {
		return nil, err
	}
	s = &Server{Bucket: "nginx", Object: "download"}
	settings := nginxSettings{Workers: 2, Files: filepath.Join(dir, "files")}
	s.Files = settings.Files
	if at.None() {
		settings.Root = os.Geteuid() == 0
	} else {
		if err := settings.signed(ctx, store.New(at), s.Bucket, s.Object); err != nil {
			return nil, err
		}
	}
	if s.Temp, err = tempbytes.Watch(filepath.Join(dir, "run/tmp")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	token := rand.Text()
	if settings.Permission, err = s.askAt(ctx, permission, filepath.Join(dir, "permission"), token); err != nil {
		return s, err
	}
	// A random path: another process that has taken the port does not answer it.
	settings.Ready = "/" + strings.ToLower(rand.Text())
	err = onFreeAddress(ctx, func(address string) error {
		settings.Listen = address
		return s.launchNginx(ctx, nginx, filepath.Join(dir, "run"), settings)
	})
	if err == nil {
		s.Endpoint, err = tus.NewEndpoint("http://"+settings.Listen, token)
	}
	return s, err
}

// signed sets the address of an object. nginx can't sign requests to the store, so it gets a presigned URL, which is
// valid for the whole run.
func (s *nginxSettings) signed(ctx context.Context, client *store.Store, bucket, key string) error {
	if err := client.CreateBucket(ctx, bucket); err != nil {
		return err
	}
	u, err := client.Presign(ctx, bucket, key, signedFor)
	if err != nil {
		return err
	}
	s.Store, s.Object = u.Host, u.RequestURI()
	return nil
}

// askAt starts the permission service, and returns its address.
func (s *Server) askAt(ctx context.Context, p Program, dir, token string) (address string, err error) {
	cmd := exec.Command(p.Path)
	cmd.Dir, cmd.Env = dir, environment(dir, "TOKEN="+token)
	if s.permission, err = proc.Start(cmd, filepath.Join(dir, "log")); err != nil {
		return "", err
	}
	return s.permission.AwaitLine(ctx, `(?m)^listening on (\S+)$`)
}

// launchNginx starts nginx and waits for its workers.
func (s *Server) launchNginx(ctx context.Context, p Program, dir string, settings nginxSettings) error {
	var text strings.Builder
	if err := template.Must(template.New("nginx.conf").Parse(nginxConf)).Execute(&text, settings); err != nil {
		return fmt.Errorf("configure nginx: %w", err)
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("configure nginx: %w", err)
	}
	cmd := exec.Command(p.Path, "-p", dir+"/", "-c", path, "-e", "stderr")
	cmd.Dir, cmd.Env = dir, environment(filepath.Join(dir, "tmp"))
	child, err := proc.Start(cmd, filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	ready := answers("http://" + settings.Listen + settings.Ready)
	err = child.Await(ctx, func() bool {
		pids, err := proc.Children(child.Pid())
		s.workers = pids
		return err == nil && len(pids) == settings.Workers && ready()
	})
	if err != nil {
		child.Stop()
		return err
	}
	s.child = child
	return nil
}
