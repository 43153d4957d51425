// Package s3test gives tests a second real S3 server besides the embedded one: versitygw's own command as a process
// of its own, over a temporary folder. It can be killed and restarted, and there can be any number of them; the
// embedded gateway, of which a process can have only one, can't offer that.
//
// The command is a tool of a module of its own, internal/test/s3server. It is built once (a minute or two) and kept in
// the user's cache folder.
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

const (
	command = "github.com/versity/versitygw/cmd/versitygw"
	module  = "internal/test/s3server" // below the main module
)

// start is the working directory at the start of the test, within the module. The embedded gateway may have changed
// it by the time a server is started.
var start, startErr = os.Getwd()

// Server is a running S3 server without buckets. The fields are values for S3_ENDPOINT, S3_ACCESS_KEY,
// S3_SECRET_KEY and S3_REGION. It needs path-style addresses.
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
	// A free port may be taken a moment later, so one failure proves little.
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

// Stop kills the server as kill -9 does: running requests are cut off, and connections are refused until Restart.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.process.Stop(syscall.SIGKILL, time.Minute)
}

// Freeze makes the server stop answering, with its connections open, until Thaw.
func (s *Server) Freeze() { s.process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.process.Signal(syscall.SIGCONT) }

// Restart starts the server again on the same address with the same objects; a running one is killed first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.launch(); err != nil {
		t.Fatal("s3test: ", err)
	}
}

// launch starts the server on s.address and waits until it answers.
func (s *Server) launch() error {
	// A random path: another test's gateway that has taken the port does not answer it.
	healthy := "/" + strings.ToLower(rand.Text())
	path := filepath.Join(s.folder, "server.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Metadata goes to files of its own (sidecar): some file systems, such as tmpfs and overlays, have no extended
	// attributes.
	cmd := exec.Command(s.binary, "--port", s.address, "--region", s.Region, "--health", healthy, "--quiet",
		"posix", "--sidecar", filepath.Join(s.folder, "metadata"), filepath.Join(s.folder, "objects"))
	cmd.Dir = filepath.Join(s.folder, "run")
	// Only the variables that it needs: VGW_... variables of the developer would change its settings. The secret
	// is passed in the environment since everybody can read command lines.
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

// build returns the path of the built command, from the cache if it is there.
func build() (string, error) {
	main, err := goOutput(start, "env", "GOMOD")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(main), filepath.FromSlash(module))
	// The cache's key has both versions: another version of Go builds another program.
	version, err := goOutput(dir, "list", "-m", "-f", "{{.Version}}", "github.com/versity/versitygw")
	if err != nil {
		return "", err
	}
	compiler, err := goOutput(dir, "env", "GOVERSION")
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
	// Several test processes may run this at the same time: one builds, the others wait for it. The kernel
	// releases the lock of a process that dies.
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
	// Renamed only when it is complete: a build that is killed leaves no incomplete program.
	half := binary + ".half"
	if _, err := goOutput(dir, "build", "-ldflags=-s -w", "-o", half, command); err != nil {
		return "", err
	}
	return binary, os.Rename(half, binary)
}

// goOutput runs the go command in a folder.
func goOutput(dir string, args ...string) (string, error) {
	if startErr != nil {
		return "", startErr
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	// CGO_ENABLED=0 as in `make build`: Go's build cache then has most of it already.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Path returns the path of an object's file.
func (s *Server) Path(bucket, key string) string {
	return filepath.Join(s.folder, "objects", bucket, filepath.FromSlash(key))
}

// Age makes everything that is stored in the server now older by that much.
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
