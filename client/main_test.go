package client_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

// The examples use the real program. `make check` (-short) leaves them out: building and starting it takes a while.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		if err := flag.Set("test.skip", "^Example"); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	status, err := withService(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// withService calls run beside a service, whose address and token are in HOLDFAST_URL and HOLDFAST_TOKEN.
func withService(run func() int) (int, error) {
	folder, err := testproc.NewFolder("holdfast-client")
	if err != nil {
		return 0, err
	}
	defer folder.Remove()
	binary, err := holdfasttest.Build(context.Background(), folder.Path, false)
	if err != nil {
		return 0, err
	}
	said := filepath.Join(folder.Path, "said")
	out, err := os.Create(said)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	cmd := exec.Command(binary)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "CONFIG=Testing", "HOST=127.0.0.1", "PORT=0", "ADMIN_ADDR=off",
		"DATA_DIR="+filepath.Join(folder.Path, "data"), "EXAMPLE_DIR="+folder.Path)
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return 0, err
	}
	defer process.Stop(syscall.SIGTERM, time.Minute)
	for end := time.Now().Add(2 * time.Minute); os.Getenv("HOLDFAST_TOKEN") == ""; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(said)
		if err != nil || time.Now().After(end) {
			return 0, fmt.Errorf("the service is not ready: %w\n%s", err, text)
		}
		for line := range strings.Lines(string(text)) {
			switch f := append(strings.Fields(line), "", ""); f[0] {
			case "uploads":
				os.Setenv("HOLDFAST_URL", strings.TrimSuffix(f[1], "/tus/"))
			case "token":
				os.Setenv("HOLDFAST_TOKEN", f[1])
			}
		}
	}
	return run(), nil
}
