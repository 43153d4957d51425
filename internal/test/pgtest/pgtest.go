// Package pgtest gives tests a real PostgreSQL (15 or newer): a throw-away server in
// a temporary folder, on a free loopback port, that ends with the test process, also
// when that is killed.
//
//	dsn := pgtest.New(t)    // a fresh, empty database on a server that all tests of this process share
//	srv := pgtest.Start(t)  // a server of one's own, which can be stopped and started again
//
// Nothing is skipped where PostgreSQL is missing: the test fails and says what to do.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// Server is a running PostgreSQL. The fields are values for POSTGRES_HOST, _PORT, _USER, _PASSWORD and _DB; the
// database is empty.
type Server struct {
	Host     string
	Port     int
	User     string
	Password string
	Database string

	bin     binaries
	folder  *testproc.Folder
	data    string
	process *testproc.Process
}

// shared is the one server that New uses. It is global on purpose: starting a server takes a second, creating a
// database a tenth of that. It is never stopped; testproc ends it with the process.
var shared struct {
	sync.Mutex
	server *Server
	made   int
}

// New returns the DSN of a fresh, empty database.
func New(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	dsn, err := create(empty)
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	return dsn
}

// Template makes databases that begin with what Fill has put into the first one: a copy takes a fraction of the time of
// the service's migrations. Fill is called once, and must have closed its connections when it returns.
type Template struct {
	Fill func(dsn string) error

	name string // empty: it was not filled
}

// New returns the DSN of a fresh copy.
func (p *Template) New(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if p.name == "" {
		dsn, err := create(empty)
		if err == nil {
			err = p.Fill(dsn)
		}
		if err != nil {
			t.Fatal("pgtest: ", err)
		}
		p.name = shared.server.Database
	}
	dsn, err := create(p.name)
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	return dsn
}

// create creates a database on the shared server, as a copy of template. The caller holds the lock.
func create(template string) (dsn string, err error) {
	if shared.server == nil {
		if shared.server, err = start(); err != nil {
			return "", err
		}
	}
	shared.made++
	s := shared.server
	s.Database = fmt.Sprintf("holdfast_%d", shared.made)
	return s.DSN(), s.createDatabase(template)
}

// Start starts a server for this test only; it is stopped and removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatal("pgtest: ", err)
	}
	t.Cleanup(s.close)
	s.Database = "holdfast"
	if err := s.createDatabase(empty); err != nil {
		t.Fatal("pgtest: ", err)
	}
	return s
}

// DSN is the connection URL of the database.
func (s *Server) DSN() string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Path: "/" + s.Database,
		Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), RawQuery: "sslmode=disable"}
	return u.String()
}

// Programs returns the folder of pg_dump and the like, in the server's version.
func (s *Server) Programs() string { return s.bin.folder }

// Stop shuts PostgreSQL down: connections are closed, and new ones are refused until Restart.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.process.Stop(syscall.SIGINT, time.Minute) // "fast shutdown": it does not wait for clients
}

// Crash stops PostgreSQL as Stop does, but at once and without a last message to its clients.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	s.process.Stop(syscall.SIGQUIT, time.Minute)
}

// Restart starts PostgreSQL again, on the same port and with the same data; a running one is stopped first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.launch(); err != nil {
		t.Fatal("pgtest: ", err)
	}
}

func (s *Server) close() {
	s.process.Stop(syscall.SIGQUIT, time.Minute) // "immediate shutdown": the data is removed anyway
	s.folder.Remove()
}

// roomy is how many bytes must be free in memory for a server's data to be there. It takes 60 MB.
const roomy = 2 << 30

// newServer prepares a server that has no data yet.
func newServer(bin binaries) (*Server, error) {
	folder, err := testproc.NewFolderInMemory("holdfast-pg", roomy)
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", User: "holdfast", bin: bin, folder: folder, data: filepath.Join(folder.Path, "data")}
	if err := s.own(folder.Path); err != nil {
		folder.Remove()
		return nil, err
	}
	return s, nil
}

func start() (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s, err := newServer(bin)
	if err != nil {
		return nil, err
	}
	if err = s.copyInitialised(); err == nil {
		// A free port may be taken a moment later, so one failure proves little.
		for range 5 {
			if s.Port, err = testproc.FreePort(); err != nil {
				break
			}
			if err = s.launch(); err == nil {
				return s, nil
			}
		}
	}
	s.folder.Remove()
	return nil, err
}

// launch starts the server on s.Port and waits until it answers.
func (s *Server) launch() error {
	path := filepath.Join(s.folder.Path, "server.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Without fsync only a power failure loses data, and tests only end the process. synchronous_commit stays on:
	// without it ending the process would lose data too.
	cmd := s.command(context.Background(), "postgres", "-D", s.data, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses="+s.Host, "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "shared_buffers=16MB",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "timezone=UTC")
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = testproc.Start(cmd, syscall.SIGQUIT); err != nil {
		return err
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		// pg_isready alone might reach another server that took the port.
		pid, _ := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
		if strings.HasPrefix(string(pid), strconv.Itoa(s.process.Pid())+"\n") &&
			s.run("pg_isready", "--quiet", "--host="+s.Host, "--port="+strconv.Itoa(s.Port)) == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("postgres ended at once: %w\n%s", s.process.Err(), testproc.LogTail(path))
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.process.Stop(syscall.SIGQUIT, time.Second)
	return fmt.Errorf("postgres did not answer within 30 s\n%s", testproc.LogTail(path))
}

// empty is the template of databases in which is nothing.
const empty = "template0"

func (s *Server) createDatabase(template string) error {
	return s.run("createdb", "--host="+s.Host, "--port="+strconv.Itoa(s.Port), "--username="+s.User,
		"--no-password", "--maintenance-db=postgres", "--template="+template, s.Database)
}

// run runs one of PostgreSQL's own programs; the error contains its output.
func (s *Server) run(program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := s.command(ctx, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin.folder, program), args...)
	cmd.Dir = s.folder.Path // the other user may have no access to our working directory
	cmd.Env = append(withoutPG(os.Environ()), "LC_ALL=C", "PGPASSWORD="+s.Password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.bin.as}
	return cmd
}

// withoutPG removes PGHOST, PGOPTIONS and the like, which would make the programs use the developer's own server.
func withoutPG(env []string) (kept []string) {
	for _, e := range env {
		if !strings.HasPrefix(e, "PG") {
			kept = append(kept, e)
		}
	}
	return kept
}
