package redisclient

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/redistest"
)

// The error for a wrong URL does not show the password in it.
func TestWrongURL(t *testing.T) {
	for _, url := range []string{"", "http://:secret@host", "redis://:secret@host:port", "redis://:secret@host/a/b/c",
		"redis://:secret@host/-1", "redis://:secret@host?db=1&db=2", "redis://:secret@host?patience=1", "redis:secret@host",
		"unix://:secret@/redis.sock"} {
		if _, err := Open(Options{URL: url, Patience: time.Second}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// The path of a URL, or its parameter db, is the number of the database.
func TestDatabase(t *testing.T) {
	server := redistest.Start(t)
	base := strings.TrimSuffix(server.URL(), "/0")
	if err := opened(t, base+"/3", 0).Set(t.Context(), "key", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	for end, want := range map[string]bool{"/3": true, "?db=3": true, "/1?db=3": true, "": false, "/": false, "/0": false,
		"/1": false, "/3?read_timeout=2s&pool_size=5": true, "?socket_timeout=5&db=3&decode_responses=True": true} {
		if is, err := opened(t, base+end, 0).Exists(t.Context(), "key"); is != want || err != nil {
			t.Errorf("%q: %t, %v", end, is, err)
		}
	}
}

func opened(t *testing.T, url string, retries int) *Client {
	t.Helper()
	c, err := Open(Options{URL: url, Patience: 10 * time.Second, Retries: retries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A connection that ended while nobody used it costs no command: it is asked, or the command is repeated.
func TestConnectionThatEnded(t *testing.T) {
	server := redistest.Start(t)
	for name, test := range map[string]struct {
		retries int
		idle    time.Duration
	}{"repeated": {1, 0}, "asked": {0, trusted}} {
		c := opened(t, server.URL(), test.retries)
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		server.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		time.Sleep(test.idle) // until the connection is not taken for alive any more
		if err := c.Set(t.Context(), "key", 1, time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
