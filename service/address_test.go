package service

import "testing"

func TestReachableAddress(t *testing.T) {
	for host, want := range map[string]string{
		"": "127.0.0.1:80", "0.0.0.0": "127.0.0.1:80", "::": "127.0.0.1:80", "::1": "[::1]:80", "127.0.0.2": "127.0.0.2:80",
		"192.168.1.5": "192.168.1.5:80", "localhost": "localhost:80",
	} {
		if got := ReachableAddress(host, 80); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}
