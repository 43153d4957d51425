// Package redistest gives tests a real Redis: a throw-away server in a temporary
// folder, on a free loopback port, with a password, that ends with the test process.
//
//	srv := redistest.Start(t)  // which can be stopped and started again
//
// Nothing is skipped where Redis is missing: the test fails and says what to do.
package redistest

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"holdfast/internal/test/testproc"
)

// Server is a Redis.
type Server struct {
	Port     int
	Password string

	folder  *testproc.Folder
	process *testproc.Process
}

// Start starts a server for this test; it is stopped and removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	folder, err := testproc.NewFolder("holdfast-redis")
	if err != nil {
		t.Fatal("redistest: ", err)
	}
	s := &Server{Password: rand.Text(), folder: folder}
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Stop(syscall.SIGKILL, 0)
		}
		folder.Remove()
	})
	// A free port may be taken a moment later, so one failure proves little.
	for range 5 {
		if s.Port, err = testproc.FreePort(); err != nil {
			break
		}
		if err = s.launch(); err == nil {
			return s
		}
	}
	t.Fatal("redistest: ", err)
	return nil
}

// URL is the value for AUTH_REDIS_URL.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.Password), Host: s.address(), Path: "/0"}
	return u.String()
}

// Do runs a command, for what only tests ask, and returns the answer as text.
func (s *Server) Do(t testing.TB, command string, args ...any) string {
	t.Helper()
	conn, err := redis.DialURL(s.URL())
	if err != nil {
		t.Fatal("redistest: ", err)
	}
	defer conn.Close()
	answer, err := conn.Do(command, args...)
	if err != nil {
		t.Fatal("redistest: ", err)
	}
	if b, ok := answer.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(answer)
}

// Stop stops Redis: connections are closed, and new ones are refused until Restart.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.process.Stop(syscall.SIGTERM, time.Minute)
}

// Freeze makes Redis stop answering, with its connections open, until Thaw.
func (s *Server) Freeze() { s.process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.process.Signal(syscall.SIGCONT) }

// Restart starts Redis again, on the same port and with the data that it had when it was stopped.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.launch(); err != nil {
		t.Fatal("redistest: ", err)
	}
}

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *Server) launch() error {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("no Redis: run scripts/deps.sh, or install Debian's redis-server: %w", err)
	}
	log, err := os.Create(filepath.Join(s.folder.Path, "redis.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(bin, "--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--requirepass", s.Password,
		"--dir", s.folder.Path, "--appendonly", "yes", "--save", "", "--daemonize", "no")
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = testproc.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		select {
		case <-s.process.Done():
			return fmt.Errorf("redis-server ended at once: %v\n%s", s.process.Err(), testproc.LogTail(log.Name()))
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer: %w\n%s", ctx.Err(), testproc.LogTail(log.Name()))
		case <-time.After(20 * time.Millisecond):
		}
		if s.answers() {
			return nil
		}
	}
}

// answers sends PING by hand: only our server accepts the password.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c, "AUTH %s\r\nPING\r\n", s.Password)
	in := bufio.NewReader(c)
	for _, want := range []string{"+OK", "+PONG"} {
		if line, err := in.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
			return false
		}
	}
	return true
}
