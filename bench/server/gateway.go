package server

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"holdfast/bench/proc"
	"holdfast/bench/store"
)

// Gateway is a running S3 store.
type Gateway struct {
	store.Access
	child  *proc.Child
	vacuum string // the URL that frees the space of removed objects; empty: it is free at once
}

// StartGateway starts versitygw over a new folder below dir.
func StartGateway(ctx context.Context, p Program, dir string) (*Gateway, error) {
	dir, err := subfolders(dir, "versitygw", "objects", "metadata", "run")
	if err != nil {
		return nil, err
	}
	g := &Gateway{Access: store.Access{Region: "us-east-1", AccessKey: "holdfast-bench", SecretKey: rand.Text()}}
	return g, onFreeAddress(ctx, func(address string) error { return g.launch(ctx, p, dir, address) })
}

func (g *Gateway) launch(ctx context.Context, p Program, dir, address string) (err error) {
	g.Endpoint = "http://" + address
	// A random path: another process that has taken the port does not answer it.
	healthy := "/" + strings.ToLower(rand.Text())
	// Metadata goes to files of its own (sidecar): not every tmpfs has extended attributes. Connections are kept open,
	// as by every S3 service: versitygw's default of closing them after each answer would be unfair to servers that
	// make many calls.
	cmd := exec.Command(p.Path, "--port", address, "--region", g.Region, "--health", healthy, "--quiet", "--keep-alive",
		"posix", "--sidecar", filepath.Join(dir, "metadata"), filepath.Join(dir, "objects"))
	cmd.Dir = filepath.Join(dir, "run")
	cmd.Env = environment(cmd.Dir, "ROOT_ACCESS_KEY="+g.AccessKey, "ROOT_SECRET_KEY="+g.SecretKey)
	if g.child, err = proc.Start(cmd, filepath.Join(dir, "log")); err != nil {
		return err
	}
	if err = g.child.Await(ctx, answers(g.Endpoint+healthy)); err != nil {
		g.child.Stop()
	}
	return err
}

// Pid is the store's process id.
func (g *Gateway) Pid() int { return g.child.Pid() }

// Stop ends the store.
func (g *Gateway) Stop() { g.child.Stop() }

// onFreeAddress starts a server that needs an address to listen on. A free port may be taken a moment later, so one
// failure proves little.
func onFreeAddress(ctx context.Context, launch func(address string) error) (err error) {
	for range 5 {
		var address string
		if address, err = proc.FreeAddress(); err != nil {
			return err
		}
		if err = launch(address); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// answers returns a function that reports whether url answers 200.
func answers(url string) func() bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: (&net.Dialer{}).DialContext}}
	return func() bool {
		res, err := client.Get(url)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode/100 == 2
	}
}

// environment returns the whole environment of a program: a developer's variables would change it.
func environment(temp string, more ...string) []string {
	return append([]string{"HOME=" + temp, "TMPDIR=" + temp, "PATH=" + os.Getenv("PATH")}, more...)
}

// subfolders makes dir/name and folders in it, and returns dir/name.
func subfolders(dir, name string, below ...string) (string, error) {
	dir = filepath.Join(dir, name)
	for _, b := range below {
		if err := os.MkdirAll(filepath.Join(dir, b), 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}
