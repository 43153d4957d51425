// Package nginxtest starts a real nginx with deploy/nginx.conf in front of programs on
// loopback: in front of one, as deployed, or of several, in turn and without stickiness.
//
// Nothing is skipped where nginx is missing: the test fails and says what to do.
package nginxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// conf is the deployed configuration, as a path from a package in internal/.
var conf = filepath.Join("..", "..", "deploy", "nginx.conf")

// Start starts nginx on a loopback port, in front of the programs on the given ports, and waits until one of them
// answers through it. It ends with the test. The returned string is the path of nginx's log.
func Start(t testing.TB, port int, upstreams ...int) (log string) {
	t.Helper()
	return start(t, port, configure(t, port, upstreams))
}

// StartWith is Start with another block in place of `location /files/`. In it file-service:8000 stands for the
// program.
func StartWith(t testing.TB, location string, port, upstream int) (log string) {
	t.Helper()
	text := string(configure(t, port, []int{upstream}))
	begin := strings.Index(text, "location /files/ {")
	end := begin + strings.Index(text[begin:], "}") + 1
	location = strings.ReplaceAll(location, "file-service:8000", fmt.Sprintf("127.0.0.1:%d", upstream))
	return start(t, port, []byte(text[:begin]+location+text[end:]))
}

func start(t testing.TB, port int, configuration []byte) (log string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // Debian's path, which is not in a user's PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("nginx is not installed: run `make deps` (Debian: apt-get install nginx)")
	}
	folder := testproc.TempFolder(t, "holdfast-nginx")
	// If started as root, nginx's workers run as the user nobody, who must be able to reach its folders in here.
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(path, configuration, 0o644); err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(folder, "nginx.log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(program, "-p", folder+"/", "-c", path, "-e", "stderr", "-g", "daemon off;")
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	process, err := testproc.Start(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Stop(syscall.SIGTERM, time.Minute)
		if t.Failed() {
			t.Log(testproc.LogTail(log))
		}
	})
	testproc.WaitForOK(t, fmt.Sprintf("http://127.0.0.1:%d/healthz", port), process, log)
	return log
}

// configure returns deploy/nginx.conf with these addresses in place of its own.
func configure(t testing.TB, port int, upstreams []int) []byte {
	t.Helper()
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	var servers []string
	for _, upstream := range upstreams {
		servers = append(servers, fmt.Sprintf("server 127.0.0.1:%d max_fails=0;", upstream))
	}
	text := string(b)
	for old, new := range map[string]string{
		"server holdfast:8000 max_fails=0;": strings.Join(servers, "\n        "),
		"listen 8080;":                      fmt.Sprintf("listen 127.0.0.1:%d;", port),
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("deploy/nginx.conf should have one line %q", old)
		}
		text = strings.Replace(text, old, new, 1)
	}
	return []byte(text)
}
