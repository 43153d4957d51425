package testproc

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Unread is how many bytes wait in the socket of the local port, of those that came over the
// connection from the remote one. Only Linux tells.
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
			_, _ = fmt.Sscanf(queue, "%x", &n) // 0 is an empty queue, too
			return n
		}
	}
	t.Fatal("no such connection")
	return 0
}
