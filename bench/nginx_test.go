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

// nginxLab returns a lab with a real store, and everything that nginx needs, in a folder of the test.
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
	if l.storage, err = server.Versitygw(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.gateway, err = server.StartGateway(t.Context(), l.storage, folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.gateway.Stop)
	return l
}

// nginx is measured like the others: every byte is compared, a GET is one call to the store, no temporary files are
// written, and a request without a token gets nothing.
func TestNginx(t *testing.T) {
	l := nginxLab(t)
	calls, err := server.CountCalls(l.gateway.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Stop()
	at := l.gateway.Access
	at.Endpoint = calls.URL
	c, err := l.start(t.Context(), server.Program{}, at, []string{report.Nginx})
	if err != nil {
		t.Fatal(err)
	}
	p := c.peer(report.Nginx)
	pids := append(p.server.Pids(), p.server.PermissionPids()...)
	if len(pids) != 4 {
		t.Errorf("%d processes, not a master, two workers and the permission service", len(pids))
	}
	defer stopped(t, c.stop, pids)
	if err := c.warmUp(t.Context(), l.load); err != nil {
		t.Fatal(err)
	}
	t.Run("each operation is one call to the store", func(t *testing.T) { rowsOf(t, c, l.load, p, calls) })
	t.Run("without a token the store is not asked", func(t *testing.T) {
		calls.Take()
		for _, token := range []string{"", "Bearer wrong"} {
			conf := filepath.Join(l.ram.Path, "cast-1/nginx/run/nginx.conf")
			if got := ask(t, conf, token); got != http.StatusUnauthorized {
				t.Errorf("%q: %d", token, got)
			}
		}
		if counts := calls.Take(); len(counts) != 0 {
			t.Errorf("%v", counts)
		}
	})
}

// stopped stops the servers, and fails if one of their processes is left.
func stopped(t *testing.T, stop func() error, pids []int) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
			t.Errorf("process %d is still there", pid)
		}
	}
}

// rowsOf runs every row of p once.
func rowsOf(t *testing.T, c *cast, l load, p *peer, calls *server.Calls) {
	t.Helper()
	took := 0
	for _, r := range rows {
		if !slices.Contains(r.peers, p.name) {
			continue
		}
		took++
		counts := map[string]int{}
		p.around = func(bool) error { counts = calls.Take(); return nil }
		m, err := c.once(t.Context(), r, l, p)
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
}

// ask requests the object from an nginx with this configuration.
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
