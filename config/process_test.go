package config

import (
	"net/url"
	"testing"
)

func TestProxies(t *testing.T) {
	c, err := Load(env("HTTP_PROXY=http://plain:1", "https_proxy=http://tls:2", "NO_PROXY=here.example,10.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"http://store.example/": "http://plain:1", "https://store.example/": "http://tls:2", "https://here.example/": "",
		"http://10.1.2.3/": "", "http://localhost:9000/": "", "http://127.0.0.1:9000/": "",
	} {
		u, _ := url.Parse(address)
		got := ""
		if proxy, err := c.Proxies.For(u); err != nil {
			t.Error(err)
		} else if proxy != nil {
			got = proxy.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	for value, want := range map[string]bool{"": false, "1GiB": true, "off": true} {
		if c, err := Load(env("GOMEMLIMIT=" + value)); err != nil || c.MemoryLimit != want {
			t.Errorf("GOMEMLIMIT=%s: %v, %v", value, c.MemoryLimit, err)
		}
	}
}
