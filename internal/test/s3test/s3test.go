// Package s3test gives tests a second real S3 server beside the embedded one:
// versitygw's own command in a process of its own, over a temporary folder. It can be
// killed and started again, and there can be any number of them, which the embedded
// gateway (one in a process) can't offer.
//
// The command is a tool of go.mod, so it has the same version as the embedded gateway.
// It is built once and kept in the user's cache folder (a minute or two the first time).
package s3test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

const command = "github.com/versity/versitygw/cmd/versitygw"

// start is the folder that the test began in, within the module. The embedded gateway may
// have changed the process's folder by the time a server is asked for.
var start, startErr = os.Getwd()

// Server is a running S3 server without buckets. The fields are what S3_ENDPOINT,
// S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION take. Address it path-style.
type Server struct {
	Endpoint  string
	AccessKey string
	SecretKey string
	Region    string

	address string
	binary  string
	folder  string
	process *testproc.Process
}

// Start starts a server for this test; it is stopped and removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal("s3test: ", err)
	}
	s := &Server{AccessKey: "holdfast-test", SecretKey: rand.Text(), Region: "us-east-1",
		binary: binary, folder: testproc.TempFolder(t, "holdfast-versitygw")}
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Stop(syscall.SIGKILL, time.Minute)
		}
	})
	for _, name := range []string{"objects", "metadata", "run"} {
		if err := os.Mkdir(filepath.Join(s.folder, name), 0o700); err != nil {
			t.Fatal("s3test: ", err)
		}
	}
	// The port that was free may be taken a moment later, so one failure says little.
	for range 5 {
		port, portErr := testproc.FreePort()
		if portErr != nil {
			t.Fatal("s3test: ", portErr)
		}
		s.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s.Endpoint = "http://" + s.address
		if err = s.launch(); err == nil {
			return s
		}
	}
	t.Fatal("s3test: ", err)
	return nil
}

// Stop kills the server as kill -9 does: open requests are cut, and connections are
// refused until Restart.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.process.Stop(syscall.SIGKILL, time.Minute)
}

// Freeze has the server answer nothing, while its connections stay, until Thaw.
func (s *Server) Freeze() { s.process.Signal(syscall.SIGSTOP) }

// Thaw lets the server go on.
func (s *Server) Thaw() { s.process.Signal(syscall.SIGCONT) }

// Restart starts the server again on the same address with the same objects; one that
// still runs is killed first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.launch(); err != nil {
		t.Fatal("s3test: ", err)
	}
}

// launch starts the server on s.address and waits until it answers.
func (s *Server) launch() error {
	// A path of its own: another test's gateway, having taken the port, won't answer it.
	healthy := "/" + strings.ToLower(rand.Text())
	path := filepath.Join(s.folder, "server.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// The sidecar keeps metadata in files of its own: extended attributes are missing
	// on some file systems, tmpfs and overlays among them.
	cmd := exec.Command(s.binary, "--port", s.address, "--region", s.Region, "--health", healthy, "--quiet",
		"posix", "--sidecar", filepath.Join(s.folder, "metadata"), filepath.Join(s.folder, "objects"))
	cmd.Dir = filepath.Join(s.folder, "run")
	// Only what it needs: VGW_... variables of the developer would change it. The secret
	// goes by environment since everybody may read a command line.
	cmd.Env = []string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir, "PATH=" + os.Getenv("PATH"),
		"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = testproc.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if res, err := client.Get(s.Endpoint + healthy); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("versitygw ended at once: %w\n%s", s.process.Err(), testproc.LogTail(path))
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.process.Stop(syscall.SIGKILL, time.Minute)
	return fmt.Errorf("versitygw did not answer within two minutes\n%s", testproc.LogTail(path))
}

// build gives the path of the built command, from the cache where it is there.
func build() (string, error) {
	// The versions of both are the key: another Go gives another program.
	version, err := output("go", "list", "-m", "-f", "{{.Version}}", "github.com/versity/versitygw")
	if err != nil {
		return "", err
	}
	compiler, err := output("go", "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	folder := filepath.Join(cache, "holdfast-test")
	binary := filepath.Join(folder, "versitygw-"+version+"-"+compiler)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Several test processes come here at the same time: one builds, the others wait
	// for it. The kernel frees the lock of a process that dies.
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(binary); err == nil || !errors.Is(err, os.ErrNotExist) {
		return binary, err
	}
	// Renamed only when it is whole: a build that was killed leaves no half program.
	half := binary + ".half"
	if _, err := output("go", "build", "-ldflags=-s -w", "-o", half, command); err != nil {
		return "", err
	}
	return binary, os.Rename(half, binary)
}

func output(name string, args ...string) (string, error) {
	if startErr != nil {
		return "", startErr
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = start
	// As `make build` does, which has compiled most of it.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Path is the file in which an object lies.
func (s *Server) Path(bucket, key string) string {
	return filepath.Join(s.folder, "objects", bucket, filepath.FromSlash(key))
}

// Age makes all that lies in the server now so much older.
func (s *Server) Age(t testing.TB, by time.Duration) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.folder, "objects"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		then := info.ModTime().Add(-by)
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		t.Fatal("s3test: ", err)
	}
}
