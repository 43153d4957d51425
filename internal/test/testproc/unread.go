package testproc

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Unread returns how many received bytes wait to be read in the socket of the local port whose connection comes
// from the remote port. It works only on Linux.
func Unread(t testing.TB, local, remote int) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(b)) {
		f := strings.Fields(row)
		if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", local)) && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", remote)) {
			_, queue, _ := strings.Cut(f[4], ":")
			_, _ = fmt.Sscanf(queue, "%x", &n) // 0 if the queue is empty
			return n
		}
	}
	t.Fatal("no such connection")
	return 0
}

// InFlight returns how many bytes are on their way to a port of this machine: sent and not received, or received and
// not read. It works only on Linux.
func InFlight(t testing.TB, port int) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	to := fmt.Sprintf(":%04X", port)
	for row := range strings.Lines(string(b)) {
		var sent, received int
		f := strings.Fields(row)
		_, _ = fmt.Sscanf(f[4], "%x:%x", &sent, &received) // not in the first line, which has names
		if strings.HasSuffix(f[1], to) {
			n += received
		}
		if strings.HasSuffix(f[2], to) {
			n += sent
		}
	}
	return n
}
