package service

import (
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/limit"
)

// Visitors of a form are told apart by its token and their address, in every replica alike, but the address cannot be
// read from the name, nor found without the key. Nobody else is a visitor.
func TestVisitors(t *testing.T) {
	ask := func(key, address string, who file.Identity) string {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = address + ":1234"
		return visitors(limit.Proxies{}, []byte(key))(r, who)
	}
	form := file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"}
	other := form
	other.Fingerprint = "g"
	name := ask("k", "192.0.2.7", form)
	if again := ask("k", "192.0.2.7", form); name == "" || again != name {
		t.Errorf("%q, and again: %q", name, again)
	}
	if strings.Contains(name, "192.0.2.7") {
		t.Errorf("%q names the address", name)
	}
	for what, got := range map[string]string{"address": ask("k", "192.0.2.8", form), "form": ask("k", "192.0.2.7", other),
		"key": ask("l", "192.0.2.7", form)} {
		if got == name || got == "" {
			t.Errorf("another %s: %q, as %q", what, got, name)
		}
	}
	for _, who := range []file.Identity{{}, {Kind: file.KindUser, UserID: 1, AccountID: 1}, {Kind: file.KindLink},
		{Kind: file.KindService, AccountID: 1, Fingerprint: "f"}} {
		if got := ask("k", "192.0.2.7", who); got != "" {
			t.Errorf("%v: %q", who, got)
		}
	}
}
