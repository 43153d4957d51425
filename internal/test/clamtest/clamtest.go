// Package clamtest gives tests a real clamd: a throw-away one in a temporary folder, on a
// socket of its own, that knows one signature, the EICAR test file's. The real database
// comes from the network, and would take a gigabyte of memory.
//
// Nothing is skipped where ClamAV is missing: the test fails and says what to do.
package clamtest

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// EICAR is the test file that every scanner reports, and that is harmless. It is in two pieces so that a scanner
// does not report this source file.
const EICAR = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// Server is a running clamd.
type Server struct {
	// Address is the value for SCAN_CLAMD.
	Address string

	socket  string
	command string
	config  string
	log     string
	process *testproc.Process
}

// Start starts a clamd for this test; it scans at most maxSize bytes of a file. settings are further lines of
// clamd.conf.
func Start(t testing.TB, maxSize int, settings ...string) *Server {
	t.Helper()
	command, err := exec.LookPath("clamd")
	if err != nil {
		if command, err = exec.LookPath("/usr/sbin/clamd"); err != nil {
			t.Fatal("clamtest: clamd is missing: apt-get install clamav-daemon")
		}
	}
	folder := testproc.TempFolder(t, "holdfast-clamd")
	s := &Server{socket: filepath.Join(folder, "s"), command: command, config: filepath.Join(folder, "clamd.conf"),
		log: filepath.Join(folder, "log")}
	s.Address = "unix:" + s.socket
	for name, text := range map[string]string{
		"eicar.ndb": "Eicar-Test-Signature:0:*:" + hex.EncodeToString([]byte(EICAR)) + "\n",
		"clamd.conf": fmt.Sprintf("DatabaseDirectory %s\nLocalSocket %s\nForeground yes\nStreamMaxLength %d\nLogFile "+
			"%s\nOfficialDatabaseOnly no\nUser root\n%s\n",
			folder, s.socket, maxSize, s.log, strings.Join(settings, "\n")),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal("clamtest: ", err)
		}
	}
	t.Cleanup(func() { s.Stop(t) })
	s.Restart(t)
	return s
}

// Stop ends clamd.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.process != nil {
		s.process.Stop(syscall.SIGKILL, time.Minute)
	}
}

// Restart starts clamd again and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	os.Remove(s.socket)
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal("clamtest: ", err)
	}
	defer log.Close()
	cmd := exec.Command(s.command, "--config-file="+s.config)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = testproc.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatal("clamtest: ", err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", s.socket); err == nil {
			conn.Close()
			return
		}
		select {
		case <-s.process.Done():
			t.Fatalf("clamtest: clamd ended at once: %v\n%s", s.process.Err(), testproc.LogTail(s.log))
		default:
		}
	}
	t.Fatalf("clamtest: clamd did not answer within a minute\n%s", testproc.LogTail(s.log))
}
