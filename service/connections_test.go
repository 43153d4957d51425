package service

import "testing"

// Every client can open what its request needs, and the program keeps the descriptors that it needs itself.
func TestConnectionsForDescriptors(t *testing.T) {
	for files, want := range map[uint64]int{0: 1, 64: 1, 68: 1, 72: 2, 256: 48, 1024: 240, 65536: 10_000,
		1 << 63: 10_000} {
		if got := connectionsFor(files); got != want {
			t.Errorf("%d descriptors are good for %d connections, want %d", files, got, want)
		}
	}
}
