package doctest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/badline"
	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// snippets returns the code blocks of a document that are marked with this name.
func snippets(t *testing.T, path, name string) []string {
	t.Helper()
	marked := regexp.MustCompile("(?s)<!-- test: " + regexp.QuoteMeta(name) + " -->\n```[a-z]+\n(.*?)```")
	var all []string
	for _, m := range marked.FindAllStringSubmatch(read(t, path), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no %q", path, name)
	}
	return all
}

// service is the real program with a folder of its own.
type service struct {
	url, token, binary string
	env                []string // with which it was started
}

// start runs it on a port, with further settings. If public is not empty, it is the URL for clients. `make check`
// (-short) skips the tests that need it.
func start(t *testing.T, port int, public string, settings ...string) service {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and starts the service")
	}
	dir := testproc.TempFolder(t, "holdfast-doctest")
	s := service{binary: holdfasttest.Plain(t)}
	said := filepath.Join(dir, "said")
	out, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(s.binary)
	cmd.Stdout, cmd.Stderr = out, out
	s.env = append(os.Environ(), "CONFIG=Testing", fmt.Sprintf("PORT=%d", port), "PUBLIC_URL="+public,
		"ADMIN_ADDR=127.0.0.1:0",
		"DATA_DIR="+filepath.Join(dir, "data"), "EXAMPLE_DIR="+dir)
	s.env = append(s.env, settings...)
	cmd.Env = s.env
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Stop(syscall.SIGTERM, time.Minute)
		if err := process.Err(); err != nil {
			t.Errorf("the service ended with %v\n%s", err, testproc.LogTail(said))
		}
	})
	for end := time.Now().Add(time.Minute); s.url == ""; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the service is not ready\n%s", testproc.LogTail(said))
		}
		b, err := os.ReadFile(said)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			switch f := append(strings.Fields(line), "", ""); f[0] {
			case "uploads":
				s.url = strings.TrimSuffix(f[1], "/tus/")
			case "token":
				s.token = f[1]
			}
		}
	}
	return s
}

// tokenFor creates a token for a user; a service in production has none at first.
func (s service) tokenFor(t *testing.T, user int) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.binary, "token", "create", "--user", strconv.Itoa(user), "--account", "1")
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// startBehindBadLine runs it behind a line on which a connection ends after that many bytes in either direction.
func startBehindBadLine(t *testing.T, most int) service {
	t.Helper()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	line := badline.New(t, fmt.Sprintf("127.0.0.1:%d", port))
	line.Spoil(badline.Both, badline.Fault{Limit: int64(most)})
	return start(t, port, "http://"+line.Addr()+"/files")
}

// run runs a command in a folder, with the service's URL and token in its environment, and returns its standard output:
// go, for one, writes warnings to the other.
func (s service) run(t *testing.T, dir string, env []string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "URL="+s.url, "TOKEN="+s.token, "HOME="+dir, "XDG_STATE_HOME=", "GOFLAGS=-mod=mod",
		"PATH="+filepath.Dir(s.binary)+":"+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", command[0], err, out, said.Bytes())
	}
	return string(out)
}
