package check

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// system is a root folder in which programs run with chroot.
type system struct {
	t    *testing.T
	root string
}

// bareDebian returns a minimal Debian, as debootstrap makes it (minbase). Changes to it are dropped at the end.
func bareDebian(t *testing.T) system {
	t.Helper()
	base := os.Getenv("RELEASE_DEBIAN")
	if base == "" {
		t.Skip("make release-check sets RELEASE_DEBIAN")
	}
	folder := t.TempDir()
	s := system{t, filepath.Join(folder, "root")}
	for _, name := range []string{"upper", "work", "root"} {
		noErr(t, os.Mkdir(filepath.Join(folder, name), 0o755))
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", base, filepath.Join(folder, "upper"),
		filepath.Join(folder, "work"))
	s.mount("overlay", s.root, "overlay", 0, options)
	s.mount("proc", filepath.Join(s.root, "proc"), "proc", 0, "")
	s.mount("/dev", filepath.Join(s.root, "dev"), "", syscall.MS_BIND, "")
	return s
}

func (s system) mount(source, target, kind string, flags uintptr, options string) {
	s.t.Helper()
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		s.t.Fatalf("mount %s on %s: %v", source, target, err)
	}
	s.t.Cleanup(func() {
		if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
			s.t.Errorf("unmount %s: %v", target, err)
		}
	})
}

func (s system) path(p string) string { return filepath.Join(s.root, p) }

// command prepares a program of the system. It gets no variables of this machine.
func (s system) command(args ...string) *exec.Cmd {
	// Not LookPath: the program is the system's, not this one's.
	cmd := &exec.Cmd{Path: args[0], Args: args, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Chroot: s.root}}
	if !filepath.IsAbs(args[0]) {
		cmd.Path, cmd.Args = "/usr/bin/env", append([]string{"env"}, args...)
	}
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8"}
	return cmd
}

// run runs a program that must succeed, and returns its output.
func (s system) run(args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%q: %v\n%s%s", args, err, &out, &errs)
	}
	return strings.TrimSpace(out.String())
}

func (s system) fails(args ...string) bool { return s.command(args...).Run() != nil }

// start starts a service on a port of loopback, and waits until it is ready. stop ends it with SIGTERM.
func (s system) start(cmd *exec.Cmd, port int) (stop func()) {
	s.t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	noErr(s.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			s.t.Errorf("stop: %v", err)
		}
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("the service ended with %v\n%s", err, &log)
			}
		case <-time.After(time.Minute):
			s.t.Errorf("it does not stop: %v", cmd.Process.Kill())
			<-ended
		}
	}
	s.t.Cleanup(func() {
		stop()
		if s.t.Failed() {
			s.t.Logf("the service's log:\n%s", &log)
		}
	})
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if get(s.t, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), "") == 200 {
			return stop
		}
		select {
		case err := <-ended:
			stopped = true
			s.t.Fatalf("the service ended: %v\n%s", err, &log)
		default:
		}
		if time.Now().After(limit) {
			s.t.Fatal("the service is not ready")
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
