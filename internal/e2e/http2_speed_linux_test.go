package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
	"holdfast/internal/test/tlstest"
)

// sentBySpeed is how many bytes each upload of BenchmarkUploadByHTTP2 has.
const sentBySpeed = 200 * mebi

// uploadCost is what one upload took.
type uploadCost struct{ wall, cpu time.Duration }

// BenchmarkUploadByHTTP2 compares one large upload by HTTP/2 with the same by HTTP/1.1, both over TLS and sent by curl,
// in turn: to the service, and to a server of Go's that hashes the bytes with net/http's defaults. 1 is as fast as
// HTTP/1.1. -benchtime 5x gives five turns, of which the median counts.
func BenchmarkUploadByHTTP2(b *testing.B) {
	folder := testproc.TempFolder(b, "holdfast-speed")
	authority := tlstest.New(b, folder)
	sent := filepath.Join(folder, "sent")
	if err := os.WriteFile(sent, random(sentBySpeed), 0o600); err != nil {
		b.Fatal(err)
	}
	pair := authority.Issue(b, time.Now().Add(time.Hour))
	cert, key := pair.Write(b, folder)
	at, pid, token := startForSpeed(b, folder, cert, key)
	servers := []struct {
		name, url string
		cpu       func() time.Duration
	}{
		{"holdfast", at, func() time.Duration { return processorTime(b, pid) }},
		{"go", hashing(b, cert, key), ownTime},
	}
	cost := map[string][]uploadCost{}
	for b.Loop() {
		for _, s := range servers {
			for _, version := range []string{"--http1.1", "--http2"} {
				before, begun := s.cpu(), time.Now()
				out, err := exec.Command("curl", "-sS", version, "--cacert", authority.Path, "-H", "Authorization: Bearer "+token,
					"-H", "Expect:", "-T", sent, "-X", "POST", "-o", filepath.Join(folder, "answer"), "-w",
					"%{http_version} %{http_code}", s.url).CombinedOutput()
				if want := strings.TrimPrefix(version, "--http") + " 201"; err != nil || string(out) != want {
					b.Fatalf("%s %s: %v %s", s.name, version, err, out)
				}
				cost[s.name+version] = append(cost[s.name+version], uploadCost{time.Since(begun), s.cpu() - before})
			}
		}
	}
	for _, s := range servers {
		one, two := median(cost[s.name+"--http1.1"]), median(cost[s.name+"--http2"])
		b.ReportMetric(float64(one.wall)/float64(two.wall), s.name+"-speed")
		b.ReportMetric(float64(one.cpu)/float64(two.cpu), s.name+"-cpu")
	}
}

// startForSpeed starts the service as it is released, and returns an address for plain uploads and a token.
func startForSpeed(b *testing.B, folder, cert, key string) (url string, pid int, token string) {
	b.Helper()
	port, err := testproc.FreePort()
	if err != nil {
		b.Fatal(err)
	}
	program := holdfasttest.Plain(b)
	env := []string{"HOME=" + folder, "DATA_DIR=" + filepath.Join(folder, "data"), "PORT=" + strconv.Itoa(port),
		"CONFIG=Testing", "MAX_FILE_SIZE=1000000000", "ADMIN_ADDR=127.0.0.1:0", "TLS_CERT=" + cert, "TLS_KEY=" + key}
	serve, create := exec.Command(program), exec.Command(program, "token", "create", "--account=1", "--user=1")
	serve.Env, create.Env = env, env
	process, err := testproc.Start(serve, syscall.SIGKILL)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { process.Stop(syscall.SIGTERM, patience) })
	for ready := ""; ready != "200"; {
		out, _ := exec.Command("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
			fmt.Sprintf("https://127.0.0.1:%d/readyz", port)).Output()
		ready = string(out)
		select {
		case <-process.Done():
			b.Fatal("the service has ended")
		case <-time.After(100 * time.Millisecond):
		}
	}
	out, err := create.Output()
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("https://127.0.0.1:%d/files/upload", port), process.Pid(), strings.TrimSpace(string(out))
}

// hashing starts a server with net/http's defaults. It hashes each body.
func hashing(b *testing.B, cert, key string) string {
	b.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyBuffer(sha256.New(), r.Body, make([]byte, 256<<10)) // curl tells what is wrong
		w.WriteHeader(http.StatusCreated)
	}))
	s.EnableHTTP2 = true
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		b.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	b.Cleanup(s.Close)
	return s.URL + "/"
}

// median returns the medians of the times.
func median(all []uploadCost) uploadCost {
	middle := func(of func(uploadCost) time.Duration) time.Duration {
		var times []time.Duration
		for _, c := range all {
			times = append(times, of(c))
		}
		slices.Sort(times)
		return times[len(times)/2]
	}
	return uploadCost{middle(func(c uploadCost) time.Duration { return c.wall }),
		middle(func(c uploadCost) time.Duration { return c.cpu })}
}

// ownTime returns the processor time that this process has used.
func ownTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for wrong arguments only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processorTime returns the processor time that a process has used, to a hundredth of a second.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if errUser != nil || errSystem != nil {
		b.Fatal(errUser, errSystem)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
