package proxytest

import (
	"fmt"
	"strings"
	"testing"
)

// Nginx starts nginx on a loopback port, in front of one program, as deployed, or of several, in turn and without
// stickiness. It waits until one of them answers through it, and ends with the test. The returned string is the path of
// nginx's log.
func Nginx(t testing.TB, port int, upstreams ...int) (log string) {
	t.Helper()
	return runNginx(t, port, nginxConf(t, port, upstreams))
}

// NginxWith is Nginx with another block in place of `location /files/`. In it file-service:8000 stands for the
// program.
func NginxWith(t testing.TB, location string, port, upstream int) (log string) {
	t.Helper()
	text := nginxConf(t, port, []int{upstream})
	begin := strings.Index(text, "location /files/ {")
	end := begin + strings.Index(text[begin:], "}") + 1
	location = strings.ReplaceAll(location, "file-service:8000", fmt.Sprintf("127.0.0.1:%d", upstream))
	return runNginx(t, port, text[:begin]+location+text[end:])
}

func runNginx(t testing.TB, port int, conf string) (log string) {
	t.Helper()
	folder, path := folder(t, "nginx.conf", conf)
	cmd := command(t, "nginx", "-p", folder+"/", "-c", path, "-e", "stderr", "-g", "daemon off;")
	return run(t, cmd, folder, fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
}

// nginxConf returns deploy/nginx.conf with these addresses in place of its own.
func nginxConf(t testing.TB, port int, upstreams []int) string {
	t.Helper()
	var servers []string
	for _, upstream := range upstreams {
		servers = append(servers, fmt.Sprintf("server 127.0.0.1:%d max_fails=0;", upstream))
	}
	return deployed(t, "nginx.conf", map[string]string{
		"server holdfast:8000 max_fails=0;": strings.Join(servers, "\n        "),
		"listen 8080;":                      fmt.Sprintf("listen 127.0.0.1:%d;", port),
	})
}
