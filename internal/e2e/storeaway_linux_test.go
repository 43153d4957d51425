package e2e

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// triesAgain checks that a request is answered so that its client tries again.
func triesAgain(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%s: %v", what, a)
	}
}

// The folder of the embedded store is removed, or its disk unmounted, under the running service: nobody hears that
// files or uploads are gone, and when the folder is back all goes on.
func TestStoreGoesAway(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(9 * mebi)
	file, _ := s.upload(t, content)
	small, _ := s.upload(t, []byte("small"))
	half, tail := s.create(t, len(content)), s.create(t, 300)
	if a := s.patch(t, half, 0, content[:8*mebi+100]); a.status != 204 {
		t.Fatal(a)
	}
	if a := s.patch(t, tail, 0, content[:100]); a.status != 204 {
		t.Fatal(a)
	}
	store, aside := filepath.Join(s.data, "store"), filepath.Join(s.folder, "aside")
	if err := os.Rename(store, aside); err != nil {
		t.Fatal(err)
	}
	triesAgain(t, "GET", s.do(t, "GET", file, nil))
	triesAgain(t, "GET of a small file", s.do(t, "GET", small, nil))
	triesAgain(t, "PATCH", s.patch(t, half, 8*mebi+100, content[8*mebi+100:]))
	triesAgain(t, "PATCH behind a tail", s.patch(t, tail, 100, content[100:300]))
	triesAgain(t, "an upload", s.do(t, "POST", "/files/tus/", "abc", "Upload-Length: 3", octets))
	s.eventually("/readyz names the store", func() bool {
		a := s.do(t, "GET", "/readyz", nil)
		return a.status == 503 && strings.Contains(string(a.body), "store")
	})
	if err := os.Rename(aside, store); err != nil {
		t.Fatal(err)
	}
	s.says(t, "ok\n", `{"status":"ok"}`)
	s.holds(t, file, content)
	s.holds(t, small, []byte("small"))
	at := s.offset(t, half)
	if a := s.patch(t, half, at, content[at:]); a.status != 204 {
		t.Errorf("PATCH afterwards: %v", a)
	}
	s.holds(t, "/files/"+path.Base(half), content)
	at = s.offset(t, tail)
	if a := s.patch(t, tail, at, content[at:300]); a.status != 204 {
		t.Errorf("PATCH behind a tail afterwards: %v", a)
	}
}

// Without the store that its database belongs to the service does not start, and says how to go on.
func TestStartWithoutTheStore(t *testing.T) {
	t.Parallel()
	s := start(t)
	file, _ := s.upload(t, []byte("kept"))
	s.stop()
	store, aside := filepath.Join(s.data, "store"), filepath.Join(s.folder, "aside")
	if err := os.Rename(store, aside); err != nil {
		t.Fatal(err)
	}
	if status, log := s.ends(); status != 1 || !strings.Contains(log, "holdfast store accept") {
		t.Errorf("without the store: status %d\n%s", status, log)
	}
	if out, err := s.command("reconcile").CombinedOutput(); err == nil || !strings.Contains(string(out), "store accept") {
		t.Errorf("reconcile without the store: %v %s", err, out)
	}
	if _, err := os.Lstat(store); err == nil {
		t.Error("it has made a store")
	}
	if err := os.Rename(aside, store); err != nil {
		t.Fatal(err)
	}
	s.launch()
	s.holds(t, file, []byte("kept"))
	s.stop()
	if err := os.RemoveAll(store); err != nil {
		t.Fatal(err)
	}
	s.run("store", "accept")
	s.launch()
	if a := s.do(t, "GET", file, nil); a.status != 404 || a.code() != "STORAGE_005" {
		t.Errorf("GET of what is gone for good: %v", a)
	}
}

// The lock is on the data folder itself: a second process does not start when somebody has removed the file of the
// lock.
func TestLockFileIsRemoved(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := os.Remove(filepath.Join(s.data, "lock")); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("serve")
	cmd.Env = append(cmd.Env, "PORT=0")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("a second process: %v %s", err, out)
	}
	if out, err := s.command("reconcile", "--fix").CombinedOutput(); err == nil || !strings.Contains(string(out),
		"stop the service") {
		t.Errorf("reconcile: %v %s", err, out)
	}
}

// A service that can't write any more is not ready, and says what it can't write to; downloads go on.
func TestNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	s := start(t)
	file, _ := s.upload(t, []byte("kept"))
	s.says(t, "ok\n", `{"status":"ok"}`)
	var was unix.Rlimit
	if err := unix.Prlimit(s.process.Pid(), unix.RLIMIT_FSIZE, nil, &was); err != nil {
		t.Fatal(err)
	}
	small := unix.Rlimit{Cur: 1 << 20, Max: was.Max} // parts are longer
	if err := unix.Prlimit(s.process.Pid(), unix.RLIMIT_FSIZE, &small, nil); err != nil {
		t.Fatal(err)
	}
	s.eventually("/readyz says so", func() bool {
		a := s.do(t, "GET", "/readyz", nil)
		return a.status == 503 && strings.Contains(string(a.body), "writing to the store")
	})
	s.holds(t, file, []byte("kept"))
	if err := unix.Prlimit(s.process.Pid(), unix.RLIMIT_FSIZE, &was, nil); err != nil {
		t.Fatal(err)
	}
	s.says(t, "ok\n", `{"status":"ok"}`)
}

// The service warns of a data folder into which everybody may write.
func TestModeOfTheDataFolder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	const warning = "every user of this machine may remove and replace"
	for mode, warns := range map[os.FileMode]bool{0o777: true, 0o755: false, 0o700: false} {
		if err := os.Chmod(s.data, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(s.log); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		s.launch()
		s.stop()
		if log, err := os.ReadFile(s.log); err != nil || strings.Contains(string(log), warning) != warns {
			t.Errorf("mode %s: %v\n%s", mode, err, log)
		}
	}
}

// A data folder that becomes read-only under the running service makes it unready.
func TestDataFolderBecomesReadOnly(t *testing.T) {
	t.Parallel()
	s, _ := onDisk(t, "48m")
	file, _ := s.upload(t, []byte("kept"))
	remount := func(how string) {
		t.Helper()
		disk := filepath.Dir(s.data)
		out, err := exec.Command("nsenter", "-m", "-t", strconv.Itoa(s.process.Pid()), "mount", "-o", "remount,"+how,
			disk).CombinedOutput()
		if err != nil {
			t.Skipf("this machine does not remount for us: %v %s", err, out)
		}
	}
	remount("ro")
	s.eventually("/readyz says so", func() bool {
		a := s.do(t, "GET", "/readyz", nil)
		return a.status == 503 && strings.Contains(string(a.body), "writing to the database")
	})
	s.holds(t, file, []byte("kept"))
	remount("rw")
	s.says(t, "ok\n", `{"status":"ok"}`)
}
