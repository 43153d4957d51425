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
