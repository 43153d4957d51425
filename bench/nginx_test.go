package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"holdfast/bench/proc"
	"holdfast/bench/report"
	"holdfast/bench/server"
)

// nginxLab has a real store, and all that nginx needs, in a folder of the test.
func nginxLab(t *testing.T) *lab {
	t.Helper()
	folder := t.TempDir()
	l := &lab{log: t.Output(), ram: &proc.Folder{Path: folder}, load: fullLoad().tenth().counted()}
	var err error
	if l.nginx, err = server.Nginx(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.permission, err = server.Permission(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if l.versitygw, err = server.Versitygw(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.gateway, err = server.StartGateway(t.Context(), l.versitygw, folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.gateway.Stop)
	return l
}

// nginx takes part in its rows as the others do: every byte is compared, a GET is one call
// to the store, nothing goes to temporary files, and who has no token gets nothing.
func TestNginx(t *testing.T) {
	l := nginxLab(t)
	calls, err := server.CountCalls(l.gateway.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Stop()
	c, err := l.start(t.Context(), server.Program{}, calls.URL, []string{report.Nginx})
	if err != nil {
		t.Fatal(err)
	}
	p := c.peer(report.Nginx)
	pids := append(p.server.Pids(), p.server.PermissionPids()...)
	if len(pids) != 4 {
		t.Errorf("%d processes, not a master, two workers and the permission service", len(pids))
	}
	defer func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		for _, pid := range pids {
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
				t.Errorf("process %d is still there", pid)
			}
		}
	}()
	if err := c.warmUp(t.Context(), l.load); err != nil {
		t.Fatal(err)
	}
	took := 0
	for _, r := range rows {
		if !slices.Contains(r.peers, p.name) {
			continue
		}
		took++
		counts := map[string]int{}
		p.around = func(bool) error { counts = calls.Take(); return nil }
		m, err := c.once(t.Context(), r, l.load, p)
		if err != nil {
			t.Fatal(err)
		}
		if counts["GetObject"] != m.Operations || len(counts) != 1 {
			t.Errorf("%s: %v for %d operations", r.name, counts, m.Operations)
		}
		if m.Bytes == 0 || m.PeakRSS < 3<<20 || m.Temp.Files != 0 {
			t.Errorf("%s: %+v", r.name, m)
		}
	}
	if took != 2 {
		t.Errorf("nginx took part in %d rows", took)
	}
	calls.Take()
	for _, token := range []string{"", "Bearer wrong"} {
		if got := ask(t, filepath.Join(l.ram.Path, "cast-1/nginx/run/nginx.conf"), token); got != http.StatusUnauthorized {
			t.Errorf("%q: %d", token, got)
		}
	}
	if counts := calls.Take(); len(counts) != 0 {
		t.Errorf("the store was asked for somebody without a token: %v", counts)
	}
}

// ask asks nginx with this configuration for its object.
func ask(t *testing.T, conf, token string) (status int) {
	t.Helper()
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`listen (\S+);`).FindSubmatch(text)
	if m == nil {
		t.Fatal("nginx listens nowhere")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+string(m[1])+"/download", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
