package server

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/bench/parts"
	"holdfast/bench/proc"
	"holdfast/bench/store"
	"holdfast/bench/tempbytes"
	"holdfast/bench/tus"
)

// Server is a running server.
type Server struct {
	tus.Endpoint
	// Bucket is where its objects are.
	Bucket string
	// Object is the key of the one object that a server without uploads serves, and its path there; others put it into
	// the bucket. Empty: the server has uploads.
	Object string
	// Files is the folder of the object where there is no store.
	Files string
	// Direct sends parts to the store itself; nil: the server has no such uploads.
	Direct *parts.Client
	// Temp counts what it writes to temporary files.
	Temp *tempbytes.Counter

	child      *proc.Child
	workers    []int       // its other processes
	permission *proc.Child // its permission service; nil: it has none
}

// Pids returns the server's processes.
func (s *Server) Pids() []int { return append([]int{s.child.Pid()}, s.workers...) }

// PermissionPids returns the process of the server's permission service, if any.
func (s *Server) PermissionPids() []int {
	if s.permission == nil {
		return nil
	}
	return []int{s.permission.Pid()}
}

// Key returns the key of the finished object of an upload. tusd appends a plus and the id of the multipart upload to
// it.
func (s *Server) Key(upload string) string {
	key, _, _ := strings.Cut(path.Base(upload), "+")
	return key
}

// Stop ends the server.
func (s *Server) Stop() error {
	for _, c := range []*proc.Child{s.child, s.permission} {
		if c != nil {
			c.Stop()
		}
	}
	return s.Temp.Close()
}

// start starts a tus server whose output contains, matched by pattern, the URL at which uploads are created.
func start(ctx context.Context, cmd *exec.Cmd, dir, temp, pattern, bucket string) (s *Server, address string,
	err error) {
	counter, err := tempbytes.Watch(temp)
	if err != nil {
		return nil, "", err
	}
	child, err := proc.Start(cmd, filepath.Join(dir, "log"))
	if err != nil {
		return nil, "", errors.Join(err, counter.Close())
	}
	s = &Server{Bucket: bucket, Temp: counter, child: child}
	address, err = child.AwaitLine(ctx, pattern)
	if err != nil {
		return nil, "", errors.Join(err, s.Stop())
	}
	return s, address, nil
}

// StartTusd starts tusd with its s3store over the store at; without one, with its filestore. Only its address and its
// bucket or folder are set; everything else is the default.
func StartTusd(ctx context.Context, p Program, at store.Access, dir string) (*Server, error) {
	dir, err := subfolders(dir, "tusd", "run", "tmp", "files")
	if err != nil {
		return nil, err
	}
	const bucket = "tusd"
	temp := filepath.Join(dir, "tmp")
	cmd := exec.Command(p.Path, "-host", "127.0.0.1", "-port", "0")
	if at.None() {
		cmd.Args = append(cmd.Args, "-upload-dir", filepath.Join(dir, "files"))
	} else {
		cmd.Args = append(cmd.Args, "-s3-bucket", bucket, "-s3-endpoint", at.Endpoint)
		if err := store.New(at).CreateBucket(ctx, bucket); err != nil { // tusd creates no bucket
			return nil, err
		}
	}
	cmd.Dir = filepath.Join(dir, "run")
	cmd.Env = environment(temp, "AWS_ACCESS_KEY_ID="+at.AccessKey, "AWS_SECRET_ACCESS_KEY="+at.SecretKey,
		"AWS_REGION="+at.Region)
	s, address, err := start(ctx, cmd, dir, temp, `upload files to: (http://\S+/)`, bucket)
	if err != nil {
		return nil, err
	}
	if s.Endpoint, err = tus.NewEndpoint(address, ""); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// HoldfastOptions are the settings of Holdfast that a run may change.
type HoldfastOptions struct {
	MaxFileSize int64
	Env         []string // further variables
}

// account is the account of the benchmark's files; Holdfast has a bucket for each account.
const account = 1

// StartHoldfast starts Holdfast over the store at; without one, with the embedded store. Its database is in dir, too.
func StartHoldfast(ctx context.Context, p Program, at store.Access, dir string, o HoldfastOptions) (*Server, error) {
	dir, err := subfolders(dir, "holdfast", "run", "tmp", "data")
	if err != nil {
		return nil, err
	}
	const prefix = "holdfast"
	temp := filepath.Join(dir, "tmp")
	cmd := exec.Command(p.Path)
	cmd.Dir = filepath.Join(dir, "run")
	cmd.Env = append(environment(temp, "CONFIG=Testing", "PORT=0", "ADMIN_ADDR=127.0.0.1:0", "DATA_DIR="+filepath.Join(dir,
		"data"), "EXAMPLE_DIR="+cmd.Dir,
		"MAX_FILE_SIZE="+strconv.FormatInt(o.MaxFileSize, 10), "BUCKET_PREFIX="+prefix), o.Env...)
	if at.None() {
		cmd.Env = append(cmd.Env, "STORAGE_TYPE=embedded")
	} else {
		cmd.Env = append(cmd.Env, "STORAGE_TYPE=s3", "S3_ENDPOINT="+at.Endpoint, "S3_ACCESS_KEY="+at.AccessKey,
			"S3_SECRET_KEY="+at.SecretKey, "S3_REGION="+at.Region, "UPLOAD_DIRECT=on")
	}
	s, address, err := start(ctx, cmd, dir, temp, `(?m)^ +uploads +(http://\S+/)`, prefix+"-"+strconv.Itoa(account))
	if err != nil {
		return nil, err
	}
	token, err := createToken(ctx, cmd)
	if err == nil {
		s.Endpoint, err = tus.NewEndpoint(address, token)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.Direct = parts.New(strings.TrimSuffix(address, "tus/"), token)
	return s, nil
}

// createToken runs the program a second time, beside the service and with the same settings.
func createToken(ctx context.Context, service *exec.Cmd) (string, error) {
	cmd := exec.CommandContext(ctx, service.Path, "token", "create", "--user", "1", "--account", strconv.Itoa(account))
	cmd.Dir, cmd.Env = service.Dir, service.Env
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("create a token: %w\n%s", err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
}
