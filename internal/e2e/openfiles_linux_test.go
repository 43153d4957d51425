package e2e

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The limit of open files is lowered while the program runs: it goes by the new one.
func TestOpenFilesAreLowered(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.lines.DisableKeepAlives = true
	file, _ := s.upload(t, []byte("hello"))
	for range 400 {
		s.dial(t, "")
	}
	limit := unix.Rlimit{Cur: 256, Max: 256}
	if err := unix.Prlimit(s.process.Pid(), unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	s.holds(t, file, []byte("hello"))
	if n := s.scrape(t).sum("holdfast_connections"); n > 48 {
		t.Errorf("%v connections", n)
	}
}
