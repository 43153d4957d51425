package client

import (
	"net/http"
	"strings"
	"testing"
)

// The token does not follow redirects to where it would not be sent otherwise.
func TestTheTokenFollowsNoRedirects(t *testing.T) {
	for to, want := range map[string]string{
		"http://h/files/2":        "Bearer secret",
		"http://h/elsewhere":      "",
		"http://h:8080/files/2":   "",
		"http://store.h/files/2":  "",
		"https://h/files/2":       "",
		"http://h/files/../admin": "",
	} {
		redirects, asked, got := 0, 0, ""
		inBubble(t, func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Path == "/files/1" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			got = r.Header.Get("Authorization")
		}, func(t *testing.T, c *Client) {
			c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { redirects++; return nil }
			err := c.once(t.Context(), http.MethodGet, c.Base+"/1", nil, nil)
			if err != nil || got != want || asked != 2 || redirects != 1 {
				t.Errorf("%s: %q %v after %d requests, %d redirects", to, got, err, asked, redirects)
			}
		})
	}
}

func TestRedirectsInCircles(t *testing.T) {
	asked := 0
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusFound)
	}, func(t *testing.T, c *Client) {
		err := c.once(t.Context(), http.MethodGet, c.Base+"/1", nil, nil)
		if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") || asked != 10 {
			t.Errorf("%v after %d requests", err, asked)
		}
	})
}
