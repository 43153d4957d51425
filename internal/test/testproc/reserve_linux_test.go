package testproc

import "testing"

// A server that has not begun to listen, or is stopped for a while, keeps its port.
func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 700 {
		port, err := FreePort()
		if err != nil || seen[port] {
			t.Fatalf("%d a second time: %v", port, err)
		}
		seen[port] = true
	}
}
