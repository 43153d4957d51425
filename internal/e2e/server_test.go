package e2e

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

// binary is the program with the race detector.
var binary string

// beside is how many tests that call t.Parallel run at the same time. They mostly wait, for a lease or a fault to end,
// so there are more of them than processors.
const beside = "8"

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	folder, err := testproc.NewFolder("holdfast-e2e-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer folder.Remove()
	if binary, err = holdfasttest.Build(context.Background(), folder.Path, true); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := promised.load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	if err := flag.Set("test.parallel", beside); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code == 0 && whole() {
		if unmet := promised.unmet(); len(unmet) > 0 {
			fmt.Fprintf(os.Stderr, "openapi.yaml describes answers that no test has got, and excused has no reason for:\n  %s\n",
				strings.Join(unmet, "\n  "))
			return 1
		}
	}
	return code
}

// whole reports whether all tests are run.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return true
}

// patience is the longest wait for something that must happen; no test depends on how soon it happens.
const patience = 90 * time.Second

// server is the program with a data folder and a port of its own, which outlive it.
type server struct {
	t      *testing.T
	folder string // of this server, with everything below
	data   string
	log    string // standard error of all its runs
	port   int
	base   string
	token  string // of user 1, account 1; empty before the first start
	env    []string
	within []string        // a command that runs the program
	binary string          // the program, if it is not the one for all
	lines  *http.Transport // our connections to it, which no other test closes

	process *testproc.Process
}

// newServer prepares a server that does not run yet. Later settings win.
func newServer(t *testing.T, env ...string) *server {
	t.Helper()
	folder := testproc.TempFolder(t, "holdfast-e2e")
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, folder: folder, data: filepath.Join(folder, "data"), log: filepath.Join(folder, "stderr.log"),
		port:  port,
		lines: newLines(), base: fmt.Sprintf("http://127.0.0.1:%d/files", port)}
	s.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, holdfasttest.RaceSettings, "DATA_DIR=" + s.data,
		"PORT=" + strconv.Itoa(port),
		"EXAMPLE_DIR=" + filepath.Join(folder, "nowhere"), "CONFIG=Testing", "ADMIN_ADDR=127.0.0.1:0"}, env...)
	promised.binds(fmt.Sprintf("127.0.0.1:%d", port), s)
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Stop(syscall.SIGTERM, patience)
		}
		s.checkLog()
	})
	return s
}

// newLines returns a transport of our own: whenever a server of net/http/httptest ends, it closes the idle connections
// of the default one.
func newLines() *http.Transport { return http.DefaultTransport.(*http.Transport).Clone() }

// start starts a server and waits until it serves.
func start(t *testing.T, env ...string) *server {
	t.Helper()
	s := newServer(t, env...)
	s.launch()
	return s
}

func (s *server) checkLog() {
	s.t.Helper()
	b, _ := os.ReadFile(s.log)
	for _, bad := range []string{"DATA RACE", "panic:"} {
		if i := bytes.Index(b, []byte(bad)); i >= 0 {
			s.t.Errorf("the server's log has %q:\n%s", bad, b[i:min(len(b), i+1500)])
		}
	}
	if s.t.Failed() {
		s.t.Log(testproc.LogTail(s.log))
	}
}

// command returns the program as a command with the server's settings.
func (s *server) command(args ...string) *exec.Cmd {
	cmd := exec.Command(cmp.Or(s.binary, binary), args...)
	cmd.Dir, cmd.Env = s.folder, s.env
	return cmd
}

// begin starts the process and does not wait for anything.
func (s *server) begin() (stdout string) {
	s.t.Helper()
	stdout = filepath.Join(s.folder, "stdout.log")
	out, err := os.Create(stdout)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command()
	if len(s.within) > 0 {
		cmd = exec.Command(s.within[0], append(s.within[1:len(s.within):len(s.within)], cmd.Path)...)
		cmd.Dir, cmd.Env = s.folder, s.env
	}
	cmd.Stdout, cmd.Stderr = out, log
	if s.process, err = testproc.Start(cmd, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	return stdout
}

// launch starts the process and waits until it prints that it is ready, and its token.
func (s *server) launch() {
	s.t.Helper()
	stdout := s.begin()
	s.eventually("the server is ready", func() bool {
		select {
		case <-s.process.Done():
			s.t.Fatalf("the server ended at once: %v\n%s", s.process.Err(), testproc.LogTail(s.log))
		default:
		}
		b, _ := os.ReadFile(stdout)
		said := string(b)
		if !strings.Contains(said, "Holdfast is ready\n") || !strings.Contains(said, "  data      "+s.data+"\n") {
			return false
		}
		if _, rest, found := strings.Cut(said, "  token     "); found {
			token, _, _ := strings.Cut(rest, " ")
			if s.token == "" { // uploaders read it while the server is started again
				s.token = token
			} else if s.token != token {
				s.t.Fatalf("the token was %s, after a restart it is %s", s.token, token)
			}
		}
		res, err := client.Get(s.base + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (s *server) kill9() { s.process.Stop(syscall.SIGKILL, patience) }

// restart starts the server again on the same port and data; stop or kill it before.
func (s *server) restart() { s.t.Helper(); s.launch() }

// stop asks the server to end, and expects the exit status 0.
func (s *server) stop() {
	s.t.Helper()
	s.process.Stop(syscall.SIGTERM, patience)
	if err := s.process.Err(); err != nil {
		s.t.Errorf("the server did not end with status 0: %v", err)
	}
}

// run runs a command beside the server, such as "token list".
func (s *server) run(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("holdfast %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// growing returns a pause between two attempts. It grows with the time since: attempts cost processor time, which tests
// beside this one lack.
func growing() (pause func()) {
	begun := time.Now()
	return func() {
		long := min(max(time.Since(begun)/20, 10*time.Millisecond), 250*time.Millisecond)
		time.Sleep(long) // until the next attempt
	}
}

// eventually waits until done returns true.
func (s *server) eventually(what string, done func() bool) {
	s.t.Helper()
	for end, pause := time.Now().Add(patience), growing(); !done(); pause() {
		if time.Now().After(end) {
			s.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
