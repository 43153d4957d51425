package redisclient

import (
	"strings"
	"testing"
	"time"
)

// The error for a wrong URL does not show the password in it.
func TestWrongURL(t *testing.T) {
	for _, url := range []string{"", "http://:secret@host", "redis://:secret@host:port", "redis://:secret@host/a/b/c"} {
		if _, err := Open(Options{URL: url, Patience: time.Second}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
