package config

import (
	"strings"
	"testing"
)

func TestLoadClient(t *testing.T) {
	for _, c := range []struct {
		name       string
		env        []string
		url, token string // given on the command line
		want       Client
	}{
		{"nothing is set", nil, "", "", Client{URL: "http://127.0.0.1:8000/files"}},
		{"all is set", []string{"HOLDFAST_URL=https://a.example.org/files/", "HOLDFAST_TOKEN=t", "HOME=/home/a"}, "", "",
			Client{URL: "https://a.example.org/files", Token: "t", Uploads: "/home/a/.local/state/holdfast/uploads"}},
		{"the command line wins", []string{"HOLDFAST_URL=nonsense", "HOLDFAST_TOKEN=a b", "XDG_STATE_HOME=/state",
			"HOME=/home/a"}, "http://b", "u",
			Client{URL: "http://b", Token: "u", Uploads: "/state/holdfast/uploads"}},
	} {
		got, err := LoadClient(env(c.env...), c.url, c.token)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.name, got, err, c.want)
		}
	}
	_, err := LoadClient(env("HOLDFAST_URL=http://u:topsecret@h/x?y", "HOLDFAST_TOKEN=top\nsecret"), "", "")
	if err == nil || !strings.Contains(err.Error(), "HOLDFAST_URL") || !strings.Contains(err.Error(), "HOLDFAST_TOKEN") ||
		strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
