package deploytest

import (
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

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

// The command in compose files of the Python service is parsed by compose; the container gets it as arguments, and
// starts the service.
func TestTheCommandOfThePythonService(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "MIGRATING.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- test: compose -->\n```yaml\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/MIGRATING.md has no compose file")
	}
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: m[1]}}, Environment: types.Mapping{},
	}, func(o *loader.Options) { o.SetProjectName("migrating", true) })
	if err != nil {
		t.Fatal(err)
	}
	args := p.Services["file-service"].Command
	if len(args) != 3 || args[0] != "sh" || !strings.Contains(args[2], "uvicorn") {
		t.Fatalf("the command is %q", args)
	}
	folder := testproc.TempFolder(t, "holdfast-deploy")
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "holdfast.log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(holdfasttest.Plain(t), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "HOST=127.0.0.1", "DATA_DIR=" + folder,
		"ADMIN_ADDR=off", "PORT=" + strconv.Itoa(port)}
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	testproc.WaitForOK(t, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), process, path)
	process.Stop(syscall.SIGTERM, 30*time.Second)
	if err := process.Err(); err != nil {
		t.Errorf("it did not end cleanly: %v", err)
	}
	if said := testproc.LogTail(path); !strings.Contains(said, "running serve") {
		t.Errorf("the log does not say how it was called:\n%s", said)
	}
}
