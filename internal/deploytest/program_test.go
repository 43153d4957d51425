package deploytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

// holdfast is the running program.
type holdfast struct {
	port  int
	token string // of user 1, account 1
	env   []string
	log   string // the path of what it logs
}

// startHoldfast starts the program with the embedded store and more settings. Clients reach it at publicURL.
func startHoldfast(t *testing.T, binary, publicURL string, more ...string) holdfast {
	t.Helper()
	folder := testproc.TempFolder(t, "holdfast-deploy")
	page := filepath.Join(folder, "page")
	data := filepath.Join(folder, "data")
	if err := os.Mkdir(page, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(page, "index.html"), []byte("<!doctype html><title>the page</title>"),
		0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "holdfast.log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	// Without the developer's own settings.
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "HOST=127.0.0.1", "PORT=" + strconv.Itoa(port),
		"DATA_DIR=" + data, "EXAMPLE_DIR=" + page, "PUBLIC_URL=" + publicURL}
	env = append(env, more...)
	cmd := exec.Command(binary, "serve")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, env, log, log
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Stop(syscall.SIGTERM, 30*time.Second)
		if err := process.Err(); err != nil {
			t.Errorf("holdfast did not end cleanly: %v", err)
		}
		if t.Failed() {
			t.Log(testproc.LogTail(path))
		}
	})
	testproc.WaitForOK(t, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), process, path)
	token, err := os.ReadFile(filepath.Join(data, "dev-token"))
	if err != nil {
		t.Fatal(err)
	}
	return holdfast{port: port, token: strings.TrimSpace(string(token)), env: env, log: path}
}

// The settings in docker-compose.yml are valid: wrong ones would be exit code 2. Here its PostgreSQL does not exist,
// so the program stops waiting for it: exit code 1.
func TestComposeEnvironmentIsAccepted(t *testing.T) {
	binary := holdfasttest.Plain(t)
	folder := testproc.TempFolder(t, "holdfast-deploy")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve")
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	for name, value := range project(t).Services["holdfast"].Environment {
		if value != nil {
			cmd.Env = append(cmd.Env, name+"="+*value)
		}
	}
	cmd.Env = append(cmd.Env, "HOST=127.0.0.1", "PORT=0", "DATA_DIR="+folder, "START_TIMEOUT=1s",
		// Names in .invalid never resolve (RFC 6761), so no other server is contacted.
		"POSTGRES_HOST=postgres.invalid", "SEAWEEDFS_S3_ENDPOINT=http://seaweedfs.invalid:8333")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1\n%s", err, out)
	}
	if !strings.Contains(string(out), "postgres.invalid") {
		t.Errorf("the log does not say what is missing:\n%s", out)
	}
}

// The image's health check succeeds while the program runs, and fails when it does not answer.
func TestHealthcheck(t *testing.T) {
	binary := holdfasttest.Plain(t)
	h := startHoldfast(t, binary, "")
	check := func(env []string) error {
		cmd := exec.CommandContext(t.Context(), binary, "healthcheck")
		cmd.Env = env
		cmd.Dir = t.TempDir()
		return cmd.Run()
	}
	if err := check(h.env); err != nil {
		t.Errorf("healthcheck of a running service: %v", err)
	}
	// As in the container, where it listens on every address.
	if err := check(slices.Concat(h.env, []string{"HOST=0.0.0.0"})); err != nil {
		t.Errorf("healthcheck with HOST=0.0.0.0: %v", err)
	}
	nobody, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := check(slices.Concat(h.env, []string{"PORT=" + strconv.Itoa(nobody)})); err == nil {
		t.Error("healthcheck is good where nobody answers")
	}
}
