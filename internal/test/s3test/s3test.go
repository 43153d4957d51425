// Package s3test gives tests real S3 servers, each a process of its own over a temporary folder, which can be killed
// and restarted. Start is what most tests use: versitygw's command, a tool of a module of its own
// (internal/test/s3server). It is built once (a minute or two) and kept in the user's cache folder. Programs has the
// others, which `make stores` installs.
package s3test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// Server is a running S3 server without buckets. The fields are values for S3_KIND, S3_ENDPOINT, S3_ACCESS_KEY,
// S3_SECRET_KEY and S3_REGION. It needs path-style addresses.
type Server struct {
	Kind      string
	Endpoint  string
	AccessKey string
	SecretKey string
	Region    string

	program Program
	path    string
	ports   map[string]int
	folder  string
	process *testproc.Process
}

// roomy is how many bytes must be free in memory for a server's objects to be there: tests that run side by side store
// some hundreds of megabytes.
const roomy = 6 << 30

// Start starts versitygw for this test; it is stopped and removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return versitygw().Start(t)
}

// Start starts the program for this test; it is stopped and removed when the test ends.
func (p Program) Start(t testing.TB) *Server {
	t.Helper()
	path, missing := p.Find()
	if path == "" {
		t.Fatal("s3test: ", missing)
	}
	folder, err := testproc.NewFolderInMemory("holdfast-s3test", roomy)
	if err != nil {
		t.Fatal("s3test: ", err)
	}
	t.Cleanup(folder.Remove)
	s := &Server{Kind: p.Kind, AccessKey: "holdfast-test", SecretKey: rand.Text(), Region: "us-east-1",
		program: p, path: path, folder: folder.Path}
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
		s.ports = map[string]int{}
		if err = s.launch(); err == nil {
			s.Endpoint = "http://" + s.address("s3")
			return s
		}
	}
	t.Fatal("s3test: ", err)
	return nil
}

// port returns the server's port of that name, which is the same after a restart.
func (s *Server) port(name string) string {
	if s.ports[name] == 0 {
		port, err := testproc.FreePort()
		if err != nil {
			return "" // the server does not start with it
		}
		s.ports[name] = port
	}
	return strconv.Itoa(s.ports[name])
}

func (s *Server) address(name string) string { return net.JoinHostPort("127.0.0.1", s.port(name)) }

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

// launch starts the server and waits until it can be used.
func (s *Server) launch() error {
	path := filepath.Join(s.folder, "server.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd, err := s.program.command(s)
	if err != nil {
		return err
	}
	cmd.Dir = filepath.Join(s.folder, "run")
	// Only the variables that it needs: others of the developer would change its settings.
	cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "TMPDIR="+cmd.Dir, "PATH="+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = testproc.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	for _, page := range s.program.ready {
		if err := s.answers(page); err != nil {
			s.process.Stop(syscall.SIGKILL, time.Minute)
			return fmt.Errorf("%w\n%s", err, testproc.LogTail(path))
		}
	}
	return nil
}

// answers waits until a page, which begins with the name of a port, answers 200.
func (s *Server) answers(page string) error {
	port, path, _ := strings.Cut(page, "/")
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if res, err := client.Get("http://" + s.address(port) + "/" + path); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("%s ended at once: %w", s.program.Name, s.process.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s did not answer %s within two minutes", s.program.Name, page)
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
